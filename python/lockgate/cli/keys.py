"""Credentials for applications."""

from __future__ import annotations

import sys

import typer

from lockgate import _engine
from lockgate.cli.output import fail, out

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


@app.command()
def password() -> None:
    """Hash a password for `basic_auth`; it is asked for, or read from the standard input."""
    if sys.stdin.isatty():
        text = typer.prompt("password", hide_input=True, confirmation_prompt=True)
    else:
        text = sys.stdin.readline().rstrip("\n")
    try:
        out.print(f"argon2: {_engine.hash_password(text)}")
    except ValueError as error:
        fail(str(error))
