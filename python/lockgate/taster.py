"""The taster: a short-lived child of a node that tries a candidate before the node does.

A candidate that makes it break off, loop or eat memory ends this process; the node that waits serves on.
"""

from __future__ import annotations

import resource
import sys

MEMORY_BYTES = 2 << 30
"""Address space, the engine's code and libraries included."""
PROCESSOR_SECONDS = 20
"""Time on a processor; the node itself limits how long it waits."""


def limit() -> None:
    """Bound what this process may take. What is lower already stays."""
    wanted = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_CPU: PROCESSOR_SECONDS,
        # Nothing is written, not even what is left of it when it dies (F23).
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for what, most in wanted.items():
        soft, hard = resource.getrlimit(what)
        lowest = min(value for value in (most, soft, hard) if value != resource.RLIM_INFINITY)
        # Between the two, the processor time ends with a signal of its own, which says what was wrong.
        highest = lowest + 1 if what == resource.RLIMIT_CPU else lowest
        resource.setrlimit(what, (lowest, highest if hard == resource.RLIM_INFINITY else min(highest, hard)))


def main() -> None:
    """Try what the standard input names, and say what was found."""
    limit()
    from lockgate import _engine  # noqa: PLC0415 - within the limits

    sys.stdout.write(_engine.taste(sys.stdin.read()))


if __name__ == "__main__":
    main()
