"""How many requests of nodes there are at once, and how many were asked to come later."""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_AT_ONCE: Final = 32
"""Requests that are worked on."""
MOST_WAITING: Final = 2_000
"""Questions that wait for news: they cost a connection each and nothing else."""
MOST_ENROLLING: Final = 4
"""Nodes that are enrolled."""
MOST_UPLOADS: Final = 4
"""Segments that are taken in."""


class BusyError(Exception):
    """There are too many; `seconds` says when to come back: each at another time."""

    def __init__(self, least: float, most: float) -> None:
        super().__init__()
        # Not one time for all of them, which would only move the crowd.
        self.seconds = max(1, round(random.SystemRandom().uniform(least, most)))


@dataclass
class Load:
    """Counts; it belongs to one thread."""

    at_once: int = 0
    peak: int = 0
    waiting: int = 0
    enrolling: int = 0
    uploads: int = 0
    answered: int = 0
    turned_away: int = 0

    @contextmanager
    def worked_on(self) -> Iterator[None]:
        """While a request is worked on.

        Raises:
            BusyError: There are too many.
        """
        if self.at_once >= MOST_AT_ONCE:
            raise BusyError(1, 10)
        self.at_once += 1
        self.peak = max(self.peak, self.at_once)
        try:
            yield
        finally:
            self.at_once -= 1
            self.answered += 1

    @contextmanager
    def waits(self) -> Iterator[None]:
        """While a question waits for news, and is not worked on.

        Raises:
            BusyError: There are too many.
        """
        if self.waiting >= MOST_WAITING:
            raise BusyError(10, 30)
        self.waiting += 1
        self.at_once -= 1
        try:
            yield
        finally:
            self.at_once += 1
            self.waiting -= 1

    @contextmanager
    def enrols(self) -> Iterator[None]:
        """While somebody whom nobody knows yet wants to be enrolled: that takes no place of those who are.

        Raises:
            BusyError: There are too many.
        """
        if self.enrolling >= MOST_ENROLLING:
            raise BusyError(1, 10)
        self.enrolling += 1
        self.at_once -= 1
        try:
            yield
        finally:
            self.at_once += 1
            self.enrolling -= 1

    @contextmanager
    def uploaded(self) -> Iterator[None]:
        """While a segment is taken in.

        Raises:
            BusyError: There are too many.
        """
        if self.uploads >= MOST_UPLOADS:
            raise BusyError(5, 30)
        self.uploads += 1
        try:
            yield
        finally:
            self.uploads -= 1

    def to_json(self) -> dict[str, int]:
        """The counts, and the bound of what is worked on at once."""
        return asdict(self) | {"most": MOST_AT_ONCE}


LOAD: Final = Load()
"""Of this process."""
