"""`lockgate reload`: ask a running gateway to read its document again."""

from __future__ import annotations

from typing import Annotated

import typer

from lockgate.admin import AdminClient, AdminError
from lockgate.cli.noted import note
from lockgate.cli.options import ADMIN, Admin
from lockgate.cli.output import err, fail, out


def reload(
    *,
    admin: Admin = ADMIN,
    again: Annotated[
        bool, typer.Option("--again", help="Serve it even when it was taken back before.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="End a rollout that is in the way.")] = False,
) -> None:
    """Ask a running gateway to read its document again.

    Exit code 1: it is refused for the reason that is printed, and what was served serves on; 2: no gateway
    answers.
    """
    asked = {"again": str(again).lower(), "force": str(force).lower()}
    note("gateway.reload", admin, details=asked)
    try:
        answer = AdminClient(admin).reload(again=again, force=force)
    except AdminError as error:
        fail(str(error))
    for problem in answer.problems:
        err.print(problem, markup=False)
    generation = f" as generation {answer.generation}" if answer.generation else ""
    if not answer.applied:
        why = f"nothing was reloaded ({answer.reason})"
        err.print(f"{why}; revision {answer.id[:12]} serves on{generation}", style="red")
        raise typer.Exit(1)
    live = "" if answer.live_ms is None else f", {answer.live_ms:.1f} ms after it was read"
    out.print(f"revision {answer.id[:12]} is served{generation}{live}")
