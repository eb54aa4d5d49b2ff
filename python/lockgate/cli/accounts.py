"""`lockgate accounts`: get back into an account, from the machine that keeps it."""

from __future__ import annotations

from typing import Annotated

import typer

from lockgate.cli.output import write
from lockgate.cli.state_folder import Database, State, with_django

app = typer.Typer(help="Get back into an account of the console.", no_args_is_help=True)


@app.callback()
def accounts() -> None:
    """Get back into an account of the console."""


@app.command("reset-link")
def reset_link(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The account.", show_default=False)],
    *,
    state: State,
    database: Database = None,
    without_factor: Annotated[
        bool, typer.Option("--without-factor", help="Switch the second factor off, too: the app is lost.")
    ] = False,
) -> None:
    """Print a link by which the owner of an account chooses another password. It works once, within an hour.

    Who may read the state folder may do this, whether the console runs or not; the audit log says that it
    was done here.

    Exit code 2: there is no such account, or the state folder cannot be used.
    """

    def recovered() -> str:
        # A command that does not need Django starts without it.
        from lockgate.control.accounts.people import recover  # noqa: PLC0415

        return recover(email, without_factor=without_factor)

    path = with_django(state, database, recovered)
    write(f"open this at the address of the console, within an hour: {path}")
