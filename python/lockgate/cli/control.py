"""`lockgate control`: the nodes of a control plane, from the machine that keeps it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lockgate.cli.output import columns, err, fail, write
from lockgate.control.accounts.errors import AccountError
from lockgate.control.configuration import ConfigurationError, ControlSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    Result = TypeVar("Result")

app = typer.Typer(help="Enrol nodes into a cluster, and see how they are.", no_args_is_help=True)
State = Annotated[
    Path, typer.Option(metavar="FOLDER", help="The state folder of `lockgate serve`.", show_default=False)
]
Database = Annotated[
    str | None,
    typer.Option(
        metavar="URL", envvar="LOCKGATE_DATABASE", help="Its database, if not in FOLDER.", show_default=False
    ),
]


@app.callback()
def control() -> None:
    """Enrol nodes into a cluster, and see how they are."""


@app.command()
def token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the node is called.", show_default=False)],
    *,
    state: State,
    database: Database = None,
) -> None:
    """Print a token that enrols one node. It works once, within an hour; the audit log says that it was made.

    Exit code 2: a node has the name, or the state folder cannot be used.
    """

    def made() -> str:
        from lockgate.control.audit.services import here  # noqa: PLC0415
        from lockgate.control.nodes.services import invite  # noqa: PLC0415

        return invite(here(), name)

    said = _with_django(state, database, made)
    write(said)
    err.print("hand it over to the new node: lockgate node --control URL --state FOLDER --token-file FILE")


@app.command()
def nodes(*, state: State, database: Database = None) -> None:
    """List the nodes: what each serves, what it refused, and when it was heard of.

    Exit code 2: the state folder cannot be used.
    """

    def listed() -> list[tuple[str, ...]]:
        from lockgate.control.nodes.shown import shown  # noqa: PLC0415

        return [(one.node.name, one.node.revision[:12], one.serves, one.health, one.seen) for one in shown()]

    rows = _with_django(state, database, listed)
    columns(("node", "revision", "generation", "state", "heard of"), *rows)


def _with_django(state: Path, database: str | None, work: Callable[[], Result]) -> Result:
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
