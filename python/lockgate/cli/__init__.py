"""The command `lockgate`."""

from __future__ import annotations

import typer

from lockgate.cli import cases, documents, keys, recording, reload, run

app = typer.Typer(
    name="lockgate",
    help="An API and AI gateway whose security policies can be changed on a Friday afternoon.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(documents.check)
app.command()(documents.diff)
app.command()(documents.explain)
app.command("test")(cases.run_cases)
app.command()(documents.schema)
app.command()(documents.policies)
app.command()(run.run)
app.command()(reload.reload)
app.add_typer(keys.app, name="keys")
app.add_typer(recording.app, name="recording")


def main() -> None:
    """Run the command."""
    app(prog_name="lockgate")
