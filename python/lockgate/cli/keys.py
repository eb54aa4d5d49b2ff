"""Credentials for applications."""

from __future__ import annotations

import os
import sys
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated

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
def signing(
    private: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where the private key goes.", show_default=False)
    ],
) -> None:
    """Make an Ed25519 key that signs bundles; its public half goes to FILE.pub, for `lockgate run --trust`.

    Exit code 2: one of the files is there already, or cannot be written.
    """
    key, trusted = _engine.new_signing_key()
    public = private.with_name(f"{private.name}.pub")
    for path, text, mode in ((private, key, 0o600), (public, trusted, 0o644)):
        try:
            # Never over a key that is there: what it signed could not be verified again.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except OSError as error:
            fail(f"`{path}` cannot be written: {error.strerror}")
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
    out.print(f"private: {private}", markup=False)
    out.print(f"public:  {public}", markup=False)


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
