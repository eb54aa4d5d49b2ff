"""`lockgate accounts`: get back into an account, from the machine that keeps it."""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated

import typer

from lockgate.cli.output import fail, write
from lockgate.control.accounts.errors import AccountError
from lockgate.control.configuration import ConfigurationError, ControlSettings

app = typer.Typer(help="Get back into an account of the console.", no_args_is_help=True)


@app.callback()
def accounts() -> None:
    """Get back into an account of the console."""


@app.command("reset-link")
def reset_link(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The account.", show_default=False)],
    *,
    state: Annotated[
        Path, typer.Option(metavar="FOLDER", help="The state folder of `lockgate serve`.", show_default=False)
    ],
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="LOCKGATE_DATABASE",
            help="Its database, if not in FOLDER.",
            show_default=False,
        ),
    ] = None,
    without_factor: Annotated[
        bool, typer.Option("--without-factor", help="Switch the second factor off, too: the app is lost.")
    ] = False,
) -> None:
    """Print a link by which the owner of an account chooses another password. It works once, within an hour.

    Who may read the state folder may do this, whether the console runs or not; the audit log says that it
    was done here.

    Exit code 2: there is no such account, or the state folder cannot be used.
    """
    if not state.is_dir():
        fail(f"there is no state folder `{state}`; `lockgate serve` prints where it is")
    settings = ControlSettings(state=state.absolute(), database=database or None)
    os.environ.update(settings.to_environment(), DJANGO_SETTINGS_MODULE="lockgate.control.settings")
    # A command that does not need them starts without these.
    import django  # noqa: PLC0415
    from django.db import DatabaseError  # noqa: PLC0415

    try:
        django.setup()
        from lockgate.control.accounts.people import recover  # noqa: PLC0415

        path = recover(email, without_factor=without_factor)
    except ConfigurationError as error:
        fail(f"{error}\n  help: {error.help}")
    except DatabaseError as error:
        fail(f"the database cannot be used: {error}; `lockgate serve` makes it at its first start")
    except AccountError as error:
        fail(str(error))
    write(f"open this at the address of the console, within an hour: {path}")
