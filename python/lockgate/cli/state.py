"""Commands about what a node keeps on its disk: they need that disk, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lockgate.cli.noted import note
from lockgate.cli.output import columns, err, fail, out, write
from lockgate.state import State as StateFolder
from lockgate.state import StateError

State = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", envvar="LOCKGATE_STATE", help="The folder for what must survive a restart."
    ),
]


def generations(
    *,
    state: State = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the generations that a node keeps, whether it runs or not. Exit code 2: it is no state folder."""
    try:
        found = folder_of(state).generations()
    except StateError as error:
        fail(str(error))
    if as_json:
        write(found.model_dump_json(indent=2))
        return
    if not found.kept:
        err.print("none is kept yet")
        return
    marks = {found.before: "previous", found.last_good: "last good"}
    rows = [
        (
            str(kept.generation),
            kept.id[:12],
            kept.in_words,
            kept.since.partition(".")[0].removesuffix("Z") + "Z",
            "served" if kept.generation == found.current else marks.get(kept.generation, ""),
            kept.why or "",
        )
        for kept in found.kept
    ]
    columns(("generation", "revision", "state", "since", "", "why"), *rows)


def rollback(
    *,
    to: Annotated[
        str, typer.Option(metavar="last-good|previous|GENERATION", help="Where to go back to.")
    ] = "last-good",
    why: Annotated[
        str, typer.Option(help="What is remembered of the generation that is left.")
    ] = "a person went back",
    state: State = None,
) -> None:
    """Serve an older generation again. Needs the node's disk and nothing else: no network, no document.

    When the node does not run, its next start serves it. From the last good one, it goes back to the one
    before.

    Exit code 1: there is none to go back to, or the node refuses; 2: it is no state folder.
    """
    folder = folder_of(state)
    try:
        folder.generations()
    except StateError as error:
        fail(str(error))
    note("gateway.rollback", str(folder.folder), why=why, details={"to": to}, is_rescue=True)
    try:
        went = folder.roll_back(to, why)
    except StateError as error:
        fail(str(error), 1)
    for problem in went.problems:
        err.print(problem, markup=False)
    when = "is served" if went.running else "is served from the next start on"
    out.print(f"generation {went.generation} {when}: revision {went.id[:12]}")


def folder_of(state: Path | None) -> StateFolder:
    """The state folder that the options name."""
    if state is None:
        fail(
            "say which node: `--state FOLDER`, or set LOCKGATE_STATE to the folder of `lockgate run --state`"
        )
    return StateFolder(state)
