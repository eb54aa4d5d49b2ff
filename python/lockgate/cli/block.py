"""What is refused or slowed down for a time: by order, at once, and ending by itself."""

from __future__ import annotations

import json
import re
from typing import Annotated, Final

import typer

from lockgate import audit
from lockgate.cli.noted import note
from lockgate.cli.output import columns, err, fail, out, visible, write
from lockgate.cli.state import State, folder_of
from lockgate.state import StateError

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_TIME: Final = re.compile(r"(\d{1,9})([smhd])")

What = Annotated[
    str,
    typer.Argument(
        metavar="ADDRESS|NETWORK|APPLICATION|SHA256",
        help="An address such as 192.0.2.7, a network such as 192.0.2.0/24, an application, or the SHA-256 "
        "of a key or a certificate.",
        show_default=False,
    ),
]

app = typer.Typer(help="Refuse a source, an application or a credential for a time.", no_args_is_help=True)


@app.callback()
def block() -> None:
    """Refuse a source, an application or a credential for a time."""


@app.command()
def add(
    what: What,
    *,
    why: Annotated[str, typer.Option(help="Why, for those who look later.", show_default=False)],
    lasts: Annotated[str, typer.Option("--for", metavar="TIME", help="Such as 90s, 30m, 1h or 7d.")] = "1h",
    per_minute: Annotated[
        int | None,
        typer.Option(
            "--per-minute", metavar="CALLS", help="Let so many calls a minute through in place of none."
        ),
    ] = None,
    state: State = None,
) -> None:
    """Refuse from now on, before the policies and whichever revision serves; it ends by itself.

    What is blocked already is blocked anew. A restart or a rollback changes nothing.

    Exit code 1: there is no such application, or the node refuses; 2: the command makes no sense.
    """
    seconds = _seconds(lasts)
    folder = folder_of(state)
    details = {"state": str(folder.folder), "for": lasts}
    if per_minute is not None:
        details["per_minute"] = str(per_minute)
    note("block.added", what, why=why, details=details, is_rescue=True)
    try:
        done = folder.block(what, seconds, why, who=audit.someone() or "", per_minute=per_minute)
    except StateError as error:
        fail(str(error), 1)
    slowed = f"slowed down to {done.per_minute} calls a minute" if done.per_minute else "refused"
    out.print(f"{done.in_words} is {slowed} until {done.until_text}", markup=False)


@app.command()
def remove(what: What, *, state: State = None) -> None:
    """End a block before its time.

    Exit code 1: it is not blocked, or the node refuses; 2: no state folder was named.
    """
    folder = folder_of(state)
    note("block.removed", what, details={"state": str(folder.folder)}, is_rescue=True)
    try:
        done = folder.unblock(what)
    except StateError as error:
        fail(str(error), 1)
    out.print(f"{done.in_words} is free again", markup=False)


@app.command("list")
def list_(
    *,
    state: State = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List what is blocked now, whether the node runs or not. Exit code 2: it is no state folder."""
    try:
        found = folder_of(state).blocks()
    except StateError as error:
        fail(str(error))
    if as_json:
        write(json.dumps([one.model_dump() for one in found], indent=2))
        return
    if not found:
        err.print("nothing is blocked")
        return
    rows = [
        (
            one.what,
            one.sort,
            f"{one.per_minute} a minute" if one.per_minute else "refused",
            one.until_text,
            visible(one.who),
            visible(one.why),
        )
        for one in found
    ]
    columns(("what", "sort", "", "until", "who", "why"), *rows)


def _seconds(text: str) -> int:
    found = _TIME.fullmatch(text)
    if found is None:
        fail(f"`{text}` is not a time; write one such as 90s, 30m, 1h or 7d")
    return int(found[1]) * _UNITS[found[2]]
