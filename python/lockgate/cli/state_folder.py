"""Commands about what a control plane keeps, from the machine that keeps it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lockgate.cli.output import fail
from lockgate.control.accounts.errors import AccountError
from lockgate.control.configuration import ConfigurationError, ControlSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    Result = TypeVar("Result")

State = Annotated[
    Path, typer.Option(metavar="FOLDER", help="The state folder of `lockgate serve`.", show_default=False)
]
Database = Annotated[
    str | None,
    typer.Option(
        metavar="URL", envvar="LOCKGATE_DATABASE", help="Its database, if not in FOLDER.", show_default=False
    ),
]


def with_django(state: Path, database: str | None, work: Callable[[], Result]) -> Result:
    """Do something with the database of a state folder; what goes wrong ends the command with exit code 2."""
    if not state.is_dir():
        fail(f"there is no state folder `{state}`; `lockgate serve` prints where it is")
    settings = ControlSettings(state=state.absolute(), database=database or None)
    os.environ.update(settings.to_environment(), DJANGO_SETTINGS_MODULE="lockgate.control.settings")
    # A command that does not need them starts without these.
    import django  # noqa: PLC0415
    from django.db import DatabaseError  # noqa: PLC0415

    try:
        django.setup()
        return work()
    except ConfigurationError as error:
        fail(f"{error}\n  help: {error.help}")
    except DatabaseError as error:
        fail(f"the database cannot be used: {error}; `lockgate serve` makes it at its first start")
    except AccountError as error:
        fail(str(error))
