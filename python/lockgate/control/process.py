"""What the processes of the control plane have in common: how they are asked to end, and say why they do."""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import threading
import time

STARTED = time.time()
"""When this process began; one that it replaces had ended before."""


def asked_to_end(name: str, what: str | None) -> None:
    """Read the options, and end with the standard input when that is asked for.

    Args:
        name: What starts the process.
        what: What it does.
    """
    parser = argparse.ArgumentParser(prog=name, description=what)
    parser.add_argument("--until-eof", action="store_true", help="stop when the standard input ends")
    if parser.parse_args().until_eof:
        threading.Thread(target=_stop_at_eof, daemon=True).start()


def most_files() -> None:
    """Open as many files and connections as the system lets us: a node that waits takes one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def fail(message: str, help_: str, code: int) -> int:
    """Say why it ends; gives the exit code."""
    print(f"error: {message}\n  help: {help_}", file=sys.stderr, flush=True)
    return code


def _stop_at_eof() -> None:
    """End with whoever holds the other end of the standard input, however that one ends."""
    while os.read(sys.stdin.fileno(), 4_096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
