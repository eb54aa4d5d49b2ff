"""`lockgate reload`: ask a running gateway to read its document again."""

from __future__ import annotations

from typing import Annotated

import typer

from lockgate.admin import AdminClient, AdminError
from lockgate.cli.output import err, fail, out


def reload(
    *,
    admin: Annotated[str, typer.Option(help="The admin listener of the gateway.")] = "127.0.0.1:9901",
    force: Annotated[bool, typer.Option("--force", help="End a rollout that is in the way.")] = False,
) -> None:
    """Ask a running gateway to read its document again.

    Exit code 1: the document has errors or a rollout is in the way, and the old one serves on; 2: no gateway
    answers.
    """
    try:
        answer = AdminClient(admin).reload(force=force)
    except AdminError as error:
        fail(str(error))
    for problem in answer.problems:
        err.print(problem, markup=False)
    if not answer.applied:
        err.print(f"nothing was reloaded; revision {answer.id[:12]} serves on", style="red")
        raise typer.Exit(1)
    out.print(f"revision {answer.id[:12]} is served")
