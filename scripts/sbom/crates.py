"""The crates that the extension is linked from."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from dataclasses import dataclass
from typing import Any, Final

from sbom.place import ROOT

PACKAGE: Final = "lockgate-python"
TARGETS: Final = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "x86_64-unknown-linux-musl")
"""What wheels are built for. One bill is of all: the crates must be the same."""
_LINE: Final = re.compile(r"(\S+) v(\S+)")
_OLD_OR: Final = re.compile(r"\s*/\s*")


@dataclass(frozen=True)
class Crate:
    """A crate as Cargo knows it; without a checksum it is one of this workspace."""

    name: str
    version: str
    licence: str
    sha256: str | None
    needs: frozenset[tuple[str, str]]

    @property
    def key(self) -> tuple[str, str]:
        """Two versions of a crate are two crates."""
        return self.name, self.version


def crates() -> list[Crate]:
    """Everything whose code ends up in the extension, of every target the same."""
    linked = _linked(TARGETS[0])
    for target in TARGETS[1:]:
        if other := linked ^ _linked(target):
            message = f"the crates of {target} are others than those of {TARGETS[0]}: {sorted(other)}"
            raise ValueError(message)
    sums = _checksums()
    known = _cargo("metadata", "--format-version=1", f"--filter-platform={TARGETS[0]}")
    metadata = json.loads(known)
    packages = {one["id"]: one for one in metadata["packages"]}
    nodes = {one["id"]: one for one in metadata["resolve"]["nodes"]}
    return sorted(
        (
            Crate(
                *_key(package),
                licence=_OLD_OR.sub(" OR ", package["license"] or ""),
                sha256=sums[_key(package)],
                needs=frozenset(_needed(nodes[id_], packages) & linked),
            )
            for id_, package in packages.items()
            if _key(package) in linked
        ),
        key=lambda one: one.key,
    )


def _linked(target: str) -> frozenset[tuple[str, str]]:
    """Not by `cargo metadata`, which gives a crate the features that anything of the workspace asks for."""
    told = _cargo(
        "tree",
        f"--package={PACKAGE}",
        "--edges=normal,no-proc-macro",
        f"--target={target}",
        "--prefix=none",
        "--no-dedupe",
    )
    return frozenset((found[1], found[2]) for line in told.splitlines() if (found := _LINE.match(line)))


def _needed(node: dict[str, Any], packages: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        _key(packages[one["pkg"]])
        for one in node["deps"]
        if any(kind["kind"] is None for kind in one["dep_kinds"])
    }


def _checksums() -> dict[tuple[str, str], str | None]:
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    return {_key(one): one.get("checksum") for one in lock["package"]}


def _key(package: dict[str, Any]) -> tuple[str, str]:
    return package["name"], package["version"]


def _cargo(*arguments: str) -> str:
    command = ["cargo", arguments[0], "--locked", *arguments[1:]]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
