"""The worker's rounds over the Parquet files."""

from __future__ import annotations

from lockgate.control.analytics import server, store, taking

MOST_ROUNDS = 50


def take_recording() -> None:
    """Take what was sealed and indexed. What the disk does not take now is taken in a later round."""
    before = None
    for _ in range(MOST_ROUNDS):
        left = taking.take_new()
        if not left or left == before:
            return
        before = left


def send_recording() -> None:
    """Send what was taken to the ClickHouse server, if there is one; what fails now, in a later round."""
    server.send_new()


def keep_house() -> None:
    """Drop what is old, remove files that do not count, merge what is small, and renew older layouts."""
    # What is merged needs room, which a disk that is full gets from what goes.
    taking.forget_old()
    store.sweep()
    taking.merge()
