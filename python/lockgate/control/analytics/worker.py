"""The worker's rounds over the Parquet files."""

from __future__ import annotations

from lockgate.control.analytics import store, taking

MOST_ROUNDS = 50


def take_recording() -> None:
    """Take what was sealed and indexed. What the disk does not take now is taken in a later round."""
    before = None
    for _ in range(MOST_ROUNDS):
        left = taking.take_new()
        if not left or left == before:
            return
        before = left


def keep_house() -> None:
    """Merge what is small, write what is missing, drop what is old, and remove files that do not count."""
    taking.merge()
    taking.complete()
    taking.forget_old()
    store.sweep()
