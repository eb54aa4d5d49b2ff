"""Spans of time as people ask for them, and as data is counted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from lockgate.control.events.models import BUCKET_SECONDS

NAMED: Final = {
    "last_24_hours": timedelta(hours=24),
    "last_7_days": timedelta(days=7),
    "last_30_days": timedelta(days=30),
}
_MOST: Final = timedelta(days=400)
_STEPS: Final = ((timedelta(hours=25), 300), (timedelta(days=8), 3_600), (timedelta(days=31), 21_600))
"""Up to such a span, points that many seconds apart; days beyond."""


class TimeError(ValueError):
    """A span that cannot be meant."""


@dataclass(frozen=True)
class Span:
    """From a second to another, which is outside; both are bounds of the five minutes that are counted."""

    start: int
    end: int

    @property
    def step(self) -> int:
        """How many seconds are between points of a series, so that there are at most a few hundred."""
        length = timedelta(seconds=self.end - self.start)
        return next((step for most, step in _STEPS if length <= most), 86_400)

    @property
    def micros(self) -> tuple[int, int]:
        """The bounds in microseconds, as events have them."""
        return self.start * 1_000_000, self.end * 1_000_000

    @property
    def texts(self) -> tuple[str, str]:
        """The bounds in RFC 3339."""
        return text_of(self.start), text_of(self.end)


def last(name: str, now: datetime) -> Span:
    """A span by its name.

    Raises:
        TimeError: There is none of that name.
    """
    if name not in NAMED:
        message = (
            f"`{name}` is not a time range; there are {', '.join(NAMED)}, or an object with `from` and `to`"
        )
        raise TimeError(message)
    return _aligned(now - NAMED[name], now)


def between(start: datetime, end: datetime) -> Span:
    """A span between two times, widened to whole five minutes.

    Raises:
        TimeError: It is empty or longer than anything is kept.
    """
    if start >= end:
        message = "`from` must be before `to`"
        raise TimeError(message)
    if end - start > _MOST:
        message = f"the range has {(end - start).days} days; ask for at most {_MOST.days}"
        raise TimeError(message)
    return _aligned(start, end)


def read(text: str) -> datetime:
    """A time in RFC 3339.

    Raises:
        TimeError: It is none, or does not say in which time zone.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        message = f"`{text}` is not a time; write one such as 2026-11-01T08:00:00Z"
        raise TimeError(message) from None
    if found.tzinfo is None:
        message = f"`{text}` does not say in which time zone; add Z for UTC"
        raise TimeError(message)
    return found


def moment(second: float) -> datetime:
    """A second as a time in UTC."""
    return datetime.fromtimestamp(second, UTC)


def text_of(second: float) -> str:
    """A time in RFC 3339, UTC."""
    return moment(second).isoformat().replace("+00:00", "Z")


def _aligned(start: datetime, end: datetime) -> Span:
    # The end is outside, so a fraction of a second counts as a whole one: what happened in it is meant.
    first, last_second = int(start.timestamp()), math.ceil(end.timestamp())
    return Span(first - first % BUCKET_SECONDS, last_second + (-last_second) % BUCKET_SECONDS)
