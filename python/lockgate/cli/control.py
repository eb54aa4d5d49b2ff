"""`lockgate control`: the nodes of a control plane, from the machine that keeps it."""

from __future__ import annotations

from typing import Annotated

import typer

from lockgate.cli.output import columns, err, write
from lockgate.cli.state_folder import Database, State, with_django

app = typer.Typer(help="Enrol nodes into a cluster, and see how they are.", no_args_is_help=True)


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

    said = with_django(state, database, made)
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

    rows = with_django(state, database, listed)
    columns(("node", "revision", "generation", "state", "heard of"), *rows)
