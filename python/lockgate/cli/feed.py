"""`lockgate feed`: sign what a feed publishes, and see what a signed one says."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated

import typer

from lockgate import _engine
from lockgate.changes.evidence import write as write_file
from lockgate.changes.reading import read
from lockgate.cli.output import fail, out, show_problems, write
from lockgate.documents import problems_of
from lockgate.feeds import MOST_BYTES, FeedError, Manifest, hold
from lockgate.feeds import sign as sign_manifest
from lockgate.feeds import verify as verify_manifest
from lockgate.signing import private_key, public_key

app = typer.Typer(help="Publish feeds, which change policies by themselves.", no_args_is_help=True)


@app.callback()
def feed() -> None:
    """Publish feeds, which change policies by themselves."""


@app.command()
def sign(
    manifest: Annotated[
        Path, typer.Argument(metavar="FILE", help="What the feed says, YAML or JSON.", show_default=False)
    ],
    *,
    key: Annotated[Path, typer.Option(help="The Ed25519 key, PEM, as `lockgate keys signing` makes it.")],
    to: Annotated[
        Path | None, typer.Option(help="Where the signed manifest goes; it is printed without it.")
    ] = None,
) -> None:
    """Sign a manifest: what it prints is what a feed's address answers.

    Rules are held to their samples first. Exit code 2: a file cannot be used, or a rule does not do what its
    samples say.
    """
    try:
        said = read(manifest, Manifest)
        hold(said)
        text = sign_manifest(said, private_key(key))
        if len(text.encode()) > MOST_BYTES:
            fail(f"it would have more than {MOST_BYTES:,} bytes; split it into several feeds")
        if to is not None:
            write_file(to, text)
            out.print(f"signed: {to}", markup=False)
        else:
            write(text.rstrip("\n"))
    except _engine.ProblemsError as error:
        show_problems(problems_of(error))
        raise typer.Exit(2) from None
    except (OSError, ValueError) as error:
        fail(str(error))


@app.command()
def verify(
    signed: Annotated[Path, typer.Argument(metavar="FILE", help="The signed manifest.", show_default=False)],
    *,
    key: Annotated[Path, typer.Option(help="The public key, PEM: FILE.pub of `lockgate keys signing`.")],
) -> None:
    """See whether a signed manifest would be taken now, and what it says.

    Exit code 1: it would not; 2: a file cannot be used.
    """
    try:
        trusted = public_key(key)
        with signed.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        fail(str(error))
    try:
        found = verify_manifest(data, trusted)
        hold(found)
    except FeedError as error:
        fail(str(error), 1)
    count = len(found.entries)
    what = found.kind if count != 1 else found.kind.removesuffix("s")
    out.print(f"{found.name}, sequence {found.sequence}: {count:,} {what}", markup=False)
    out.print(f"it may be taken until {found.expires.isoformat()}, and holds until {found.until.isoformat()}")
