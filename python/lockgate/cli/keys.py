"""Credentials for applications."""

from __future__ import annotations

import typer

from lockgate import _engine
from lockgate.cli.output import out

app = typer.Typer(help="Make credentials for applications.", no_args_is_help=True)


@app.callback()
def keys() -> None:
    """Make credentials for applications."""


@app.command()
def new() -> None:
    """Make an API key; the document holds its hash, the application the key, which is shown only now."""
    key, sha256 = _engine.new_key()
    out.print(f"key:    {key}")
    out.print(f"sha256: {sha256}")
