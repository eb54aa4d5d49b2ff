"""The worker's round over the recording."""

from __future__ import annotations

from lockgate.control.events.index import index_new

SEGMENTS = 20
"""How many are read in a row, so that what is read is soon to be seen."""
MOST_ROUNDS = 50


def read_recording() -> None:
    """Read what was sealed into the database. What could not be written is read again in the next round."""
    for _ in range(MOST_ROUNDS):
        if not index_new(SEGMENTS):
            return
