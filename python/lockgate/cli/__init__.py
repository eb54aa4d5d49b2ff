"""The command `lockgate`."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from lockgate.cli import (
    accounts,
    ai,
    attack,
    audit,
    block,
    cases,
    change,
    control,
    directory,
    documents,
    feed,
    keys,
    node,
    recording,
    reload,
    replay,
    revision,
    rollout,
    run,
    sbom,
    serve,
    state,
)

app = typer.Typer(
    name="lockgate",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain text, so that help and errors can be searched and copied whole.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it
    if wanted:
        typer.echo(f"lockgate {version('lockgate')}")
        raise typer.Exit


@app.callback()
def lockgate(
    *,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """An API and AI gateway whose security policies can be changed on a Friday afternoon."""


app.command()(documents.check)
app.command()(documents.diff)
app.command()(documents.explain)
app.command("test")(cases.run_cases)
app.command()(attack.attack)
app.command()(replay.replay)
app.command()(documents.schema)
app.command()(documents.policies)
app.command()(run.run)
app.command()(ai.ai)
app.command()(serve.serve)
app.command()(node.node)
app.command()(reload.reload)
app.command()(state.rollback)
app.command()(state.generations)
app.command()(sbom.sbom)
app.add_typer(accounts.app, name="accounts")
app.add_typer(control.app, name="control")
app.add_typer(directory.app, name="directory")
app.add_typer(block.app, name="block")
app.add_typer(keys.app, name="keys")
app.add_typer(revision.app, name="revision")
app.add_typer(recording.app, name="recording")
app.add_typer(rollout.app, name="rollout")
app.add_typer(change.app, name="change")
app.add_typer(audit.app, name="audit")
app.add_typer(feed.app, name="feed")


def main() -> None:
    """Run the command."""
    app(prog_name="lockgate")
