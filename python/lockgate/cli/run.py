"""`lockgate run`: a node on one document."""

from __future__ import annotations

import os
import sys
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated

import typer


def run(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The gateway document, YAML or JSON.", show_default=False)
    ],
    *,
    watch: Annotated[
        bool,
        typer.Option(help="Reload when the document changes, one in its folder, or a file that it names."),
    ] = True,
    drain: Annotated[
        float, typer.Option(help="Seconds that requests have to end after SIGTERM.", min=0)
    ] = 30.0,
) -> None:
    """Serve a document. SIGHUP reloads, SIGTERM and Ctrl-C drain.

    Exit code 1: the document has errors; 2: an address is taken; 3: requests were cut off by the drain.
    """
    options = ["--drain", str(drain), *([] if watch else ["--no-watch"])]
    # This process becomes the node, without what the command line needed.
    # `-P`: nothing is imported from the folder that it stands in.
    node = [sys.executable, "-P", "-m", "lockgate.node", *options, "--", str(file)]
    os.execv(sys.executable, node)  # noqa: S606
