"""Whether a budget will last: told while somebody can still do something about it.

Two paces have to agree before a budget is said to run ahead: that of the whole time so far, which one busy
hour does not move for long, and that of the last hours, so that it still goes on. Nothing is projected from
the first minutes, nor from the first tenth of a budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lockgate.control.analytics.purses import Window

BURNS: Final = "budget_burn"
USED_UP: Final = "budget_used_up"
MUCH: Final = 0.8
"""From such a share on, a budget is nearly used up."""
LEAST_SHARE: Final = 0.1
LEAST_TIME: Final = 0.05
"""Before, too little of a time is over to say how the rest goes."""
BEYOND: Final = 1.1
"""A projection is no promise: it has to be so far beyond the limit."""
SHORT_SECONDS: Final = 6 * 3_600
"""Times that are shorter are over before anybody could act; they are told of when they are used up."""
_RECENT: Final = 12
"""Of a day the last two hours are looked at, of a month two days and a half."""
_HOUR: Final = 3_600


@dataclass(frozen=True)
class Burning:
    """A budget that is used up, nearly, or before its time."""

    rule: str
    severity: str
    title: str
    projected: int
    """What would be used at the end, at the pace so far."""
    empty_at: int | None
    """When all would be used at that pace, in seconds; nothing when it lasts."""


@dataclass(frozen=True)
class Spending:
    """How it stands with a budget."""

    limit: int
    used: int
    """Since its time began."""
    lately: int
    """Of that, in `recent`."""
    refused: int
    """Calls that it refused there: one that could cost more than is left is not let through, so a budget is
    used up before the last of it is spent."""


def recent(window: Window, now: int) -> Window:
    """The last hours of a time, as far as it has begun."""
    begins = now - max(_HOUR, (window.end - window.start) // _RECENT)
    return Window(max(window.start, begins), now)


def judge(one: Spending, window: Window, now: int) -> Burning | None:
    """What is to be said of a budget; nothing when it lasts.

    Args:
        one: How it stands with it.
        window: Its time.
        now: A second of that.
    """
    limit, used = one.limit, one.used
    passed, whole = max(1, now - window.start), window.end - window.start
    projected = used * whole // passed
    empty_at = window.start + round(limit * passed / used) if used else window.end
    is_nearly = used >= MUCH * limit
    if used >= limit or (is_nearly and one.refused):
        return Burning(USED_UP, "critical", "A budget is used up", projected, None)
    if used and _runs_ahead(one, window, now):
        return Burning(BURNS, "warning", "A budget burns fast", projected, empty_at)
    if not is_nearly:
        return None
    lasts = empty_at >= window.end
    title = f"{100 * used // limit} % of a budget is used"
    return Burning(BURNS, "info" if lasts else "warning", title, projected, None if lasts else empty_at)


def _runs_ahead(one: Spending, window: Window, now: int) -> bool:
    passed, whole, left = max(1, now - window.start), window.end - window.start, window.end - now
    is_early = passed < LEAST_TIME * whole or one.used < LEAST_SHARE * one.limit
    if is_early or whole < SHORT_SECONDS:
        return False
    hours = recent(window, now)
    going_on = one.used + one.lately * left // max(1, hours.end - hours.start)
    return one.used * whole > BEYOND * one.limit * passed and going_on > one.limit
