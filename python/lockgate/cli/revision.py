"""Revisions as bundles: one file, signed, with all that a node needs but its secrets."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated

import typer

from lockgate import _engine
from lockgate import documents as engine
from lockgate.cli.output import err, fail, out, show_problems, write
from lockgate.models import Problem

app = typer.Typer(help="Build and verify revisions as signed bundles.", no_args_is_help=True)


@app.callback()
def revision() -> None:
    """Build and verify revisions as signed bundles."""


@app.command()
def build(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The gateway document.", show_default=False)],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="BUNDLE", help="Where it goes.", show_default=False)
    ],
    generation: Annotated[
        int,
        typer.Option(help="Its number: higher than that of every bundle before.", min=1, show_default=False),
    ],
    key: Annotated[
        Path | None, typer.Option(metavar="PRIVATE_KEY", help="Sign it with this key.", show_default=False)
    ] = None,
    base: Annotated[
        str | None, typer.Option(metavar="ID", help="The id of the bundle that it was made from.")
    ] = None,
) -> None:
    """Check a document and pack it with the files that it refers to. Secrets stay references.

    Exit code 1: the document has errors; 2: a file cannot be read or written.
    """
    try:
        built = json.loads(_engine.build_bundle(file, generation, base, _text(key)))
    except _engine.ProblemsError as error:
        show_problems(engine.problems_of(error))
        raise typer.Exit(1) from None
    except ValueError as error:
        fail(f"{key}: {error}")
    show_problems(Problem.model_validate(problem) for problem in built["problems"])
    try:
        output.write_text(built["bundle"] + "\n")
    except OSError as error:
        fail(f"`{output}` cannot be written: {error.strerror}")
    signed = f"signed with {built['signed_with']}" if built["signed_with"] else "not signed"
    out.print(f"{output}: generation {generation}, bundle {built['id'][:12]}, {signed}", markup=False)


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle.", show_default=False)],
    *,
    trust: Annotated[
        Path | None,
        typer.Option(metavar="PUBLIC_KEY", help="The key that must have signed it.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whether a node would take a bundle. Exit code 1: it would not, for the reason that is printed."""
    try:
        found = json.loads(_engine.verify_bundle(bundle, _text(trust)))
    except ValueError as error:
        fail(f"{trust}: {error}")
    if as_json:
        write(json.dumps(found, indent=2))
    elif found["reason"]:
        err.print(f"refused ({found['reason']}): {found['message']}", style="red", markup=False)
        err.print(f"  help: {found['help']}", style="dim", markup=False)
    else:
        signed = f"signed with {found['signed_with']}" if found["signed_with"] else "not signed"
        signed += ", which is trusted" if found["verified"] else ""
        out.print(
            f"{bundle}: generation {found['generation']}, bundle {found['id'][:12]}, {signed}", markup=False
        )
    raise typer.Exit(1 if found["reason"] else 0)


def _text(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"the key `{path}` cannot be read: {error}")
