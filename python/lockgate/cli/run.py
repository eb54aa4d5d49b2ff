"""`lockgate run`: a node on one document."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from lockgate import _engine
from lockgate.cli.output import err, fail, out, show_problems
from lockgate.documents import problems_of
from lockgate.gateway import Gateway
from lockgate.watch import Watch

if TYPE_CHECKING:
    from types import FrameType

    from lockgate.models import Applied

WATCH_SECONDS = 0.5
"""How often the folder of the document is looked at."""


def run(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The gateway document, YAML or JSON.", show_default=False)
    ],
    *,
    watch: Annotated[bool, typer.Option(help="Reload when a document in the folder changes.")] = True,
    drain: Annotated[
        float, typer.Option(help="Seconds that requests have to end after SIGTERM.", min=0)
    ] = 30.0,
) -> None:
    """Serve a document. SIGHUP reloads, SIGTERM and Ctrl-C drain.

    Exit code 1: the document has errors; 2: an address is taken; 3: requests were cut off by the drain.
    """
    # Before the first reading, so that a change during the start is not taken for the state that was read.
    documents = Watch(file)
    try:
        gateway = Gateway(file)
    except _engine.ProblemsError as error:
        show_problems(problems_of(error))
        raise typer.Exit(1) from None
    except OSError as error:
        fail(str(error))
    show_problems(gateway.warnings)
    wake, stop, reload = threading.Event(), threading.Event(), threading.Event()

    def on_signal(number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP:
            reload.set()
        elif stop.is_set():
            os._exit(130)
        else:
            stop.set()
        wake.set()

    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    for name, url in gateway.urls.items():
        out.print(f"{name} listens on {url}")
    out.print(f"admin listens on http://{gateway.admin}")
    while not stop.is_set():
        wake.wait(WATCH_SECONDS if watch else None)
        wake.clear()
        changed = documents.changed()
        if reload.is_set() or (watch and changed):
            reload.clear()
            _report(gateway.reload())
    if not gateway.stop(drain):
        fail(f"some requests did not end within {drain:g} s", 3)


def _report(applied: Applied) -> None:
    show_problems(applied.problems)
    if applied.applied:
        out.print(f"revision {applied.id[:12]} is served")
    else:
        err.print(f"the document has errors; revision {applied.id[:12]} serves on", style="red")
