"""What is in the package, as its bill of materials says."""

from __future__ import annotations

import json
from importlib import metadata
from typing import Annotated

import typer

from lockgate.cli.output import err, fail, write

_PLACE = "sboms/lockgate.cdx.json"
"""Beside the other data about the installed package, where PEP 770 has it and scanners look."""
_PYTHON = "pkg:pypi/"


def sbom(
    *,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Compare it with the Python packages that are installed. Exit code 1: some differ.",
        ),
    ] = False,
) -> None:
    """Print the bill of materials (CycloneDX JSON) that came with the package.

    It was made when the package was built, of `Cargo.lock` and `requirements/runtime.txt`.
    """
    text = _text()
    if not check:
        write(text)
        return
    pinned = {
        one["name"]: one["version"]
        for one in json.loads(text)["components"]
        if one.get("purl", "").startswith(_PYTHON)
    }
    others = {name: here for name, version in pinned.items() if (here := _installed(name)) != version}
    for name, here in others.items():
        found = f"{here} is installed" if here else "nothing is installed"
        err.print(f"{name}: {found}, {pinned[name]} is in the bill of materials", markup=False)
    if others:
        raise typer.Exit(1)
    write(f"all {len(pinned)} Python packages are those of the bill of materials")


def _text() -> str:
    try:
        text = metadata.distribution("lockgate").read_text(_PLACE)
    except metadata.PackageNotFoundError:
        text = None
    if text is None:
        fail("no bill of materials came with this Lockgate; `make wheel` builds a package that has one")
    return text


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
