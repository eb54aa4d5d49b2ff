"""`lockgate node`: a node of a cluster."""

from __future__ import annotations

import os
import sys
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated

import typer

from lockgate.cli.output import fail
from lockgate.cli.run import Bake, BakeRequests, Drain  # noqa: TC001 - typer reads them


def node(
    *,
    state: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            envvar="LOCKGATE_STATE",
            help="Where its key and what it serves are kept, for its owner alone.",
            show_default=False,
        ),
    ],
    control: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The control plane; the one that it was enrolled with by default.",
            show_default=False,
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            envvar="LOCKGATE_NODE_TOKEN",
            help="The one-time token that enrols it. Other users of the machine can see an option: prefer "
            "the variable or a file.",
            show_default=False,
        ),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file with the token.", show_default=False)
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Certificates by which the control plane is known, PEM; those of the system by default.",
            show_default=False,
        ),
    ] = None,
    bake: Bake = 60.0,
    bake_requests: BakeRequests = 1,
    drain: Drain = 30.0,
) -> None:
    """Serve what a control plane says, and serve on without it.

    The first start enrols the node with a one-time token. From then on it asks for the newest revision, for
    who may call and for what is revoked, and tells what it took and what it did not. SIGTERM and Ctrl-C
    drain.

    Exit code 2: it cannot be enrolled, an address is taken, or the state folder cannot be used; 3: requests
    were cut off by the drain.
    """
    try:
        said = token_file.read_text().strip() if token_file else token
    except (OSError, UnicodeDecodeError) as error:
        fail(f"the token `{token_file}` cannot be read: {error}")
    options = [f"--state={state}", f"--bake={bake}", f"--bake-requests={bake_requests}", f"--drain={drain}"]
    options += [f"--control={control}"] if control else []
    options += [f"--ca={ca}"] if ca else []
    environment = {**os.environ, **({"LOCKGATE_NODE_TOKEN": said} if said else {})}
    # This process becomes the node, without what the command line needed.
    # `-P`: nothing is imported from the folder that it stands in.
    line = [sys.executable, "-P", "-m", "lockgate.cluster", *options]
    os.execve(sys.executable, line, environment)  # noqa: S606
