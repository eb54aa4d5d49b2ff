"""Who may call, apart from revisions: it changes at once, and no rollback brings back what was revoked."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated

import typer

from lockgate.cli.noted import note
from lockgate.cli.output import err, fail, out
from lockgate.cli.state import State, folder_of
from lockgate.state import StateError

app = typer.Typer(help="Change who may call, at once and apart from revisions.", no_args_is_help=True)


@app.callback()
def directory() -> None:
    """Change who may call, at once and apart from revisions."""


@app.command()
def revoke(
    what: Annotated[
        str,
        typer.Argument(
            metavar="APPLICATION|SHA256",
            help="An application, or the SHA-256 of a key or a certificate.",
            show_default=False,
        ),
    ],
    *,
    state: State = None,
) -> None:
    """Refuse an application or a key at once and for ever: no revision, directory or rollback brings it back.

    Exit code 1: there is no such application, or the node refuses; 2: no state folder was named.
    """
    folder = folder_of(state)
    note("directory.revoke", what, details={"state": str(folder.folder)}, is_rescue=True)
    try:
        done = folder.revoke(what)
    except StateError as error:
        fail(str(error), 1)
    ((sort, name),) = done.revoked.items()
    if done.known is None:
        err.print("no node runs: nobody could look whether there is such a one", style="yellow")
    elif not done.known:
        err.print("no application has it now; it is refused should one get it", style="yellow")
    thing = f"the key or certificate {name[:12]}" if sort == "hash" else f"the application {name}"
    out.print(f"{thing} is revoked", markup=False)


@app.command()
def apply(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The directory document, YAML or JSON.", show_default=False)
    ],
    *,
    state: State = None,
) -> None:
    """Serve with the applications of a directory document at once, instead of those of the gateway document.

    Exit code 1: it comes late, has errors, or the node refuses; 2: no state folder was named.
    """
    folder = folder_of(state)
    note("directory.apply", str(file), details={"state": str(folder.folder)})
    try:
        sequence = folder.publish(file)
    except StateError as error:
        fail(str(error), 1)
    out.print(f"the directory {sequence} is served")
