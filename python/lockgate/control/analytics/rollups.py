"""The roll-ups that pages read: each has apart only what its questions ask for, by the hour and by the day.

One of everything that anybody asks would have nearly as many rows as there are events. Whole days are read
by the day, what is beside them by the hour, and what is beside whole hours from the events.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from lockgate.control.analytics.model_calls import ASKED
from lockgate.control.analytics.tables import (
    DAY,
    FIVES,
    HOUR,
    LATENCIES,
    MEASURES,
    NETWORK,
    OF_MODELS,
    TIMED_OF_MODELS,
    sums,
)
from lockgate.control.events.models import BUCKET_SECONDS


@dataclass(frozen=True)
class RollUp:
    """Calls counted together.

    Args:
        name: What queries call it.
        by: What is apart.
        measures: What is summed.
        of: What selects the calls, with `{events}` for all of them.
        since: The first layout that has it.
    """

    name: str
    by: tuple[str, ...]
    measures: tuple[str, ...]
    of: str = "{events}"
    since: int = 1

    @property
    def hours(self) -> str:
        """The name of the table that has an hour a row."""
        return f"{self.name}_hours"

    @property
    def days(self) -> str:
        """The name of the table that has a day a row."""
        return f"{self.name}_days"

    @cached_property
    def columns(self) -> str:
        """All but `second`: where they are counted is nobody's question."""
        return ", ".join((*self.by, *self.measures, "first_second", "last_second"))

    def by_hour(self, events: str) -> str:
        """What makes a row of an hour out of events."""
        five = f"micros // 1000000 // {BUCKET_SECONDS} * {BUCKET_SECONDS}"
        return f"""
SELECT micros // 1000000 // {HOUR} * {HOUR} AS second, {", ".join(self.by)}, {sums(self.measures)},
  min({five}) AS first_second, max({five}) AS last_second
FROM {self.of.format(events=events)} GROUP BY ALL ORDER BY ALL"""

    def by_day(self, hours: str) -> str:
        """What makes a row of a day out of those of hours."""
        second = f"second // {DAY} * {DAY} AS second,"
        return f"SELECT {second} {self._together} FROM {hours} GROUP BY ALL ORDER BY ALL"

    def whole(self, rows: str) -> str:
        """What makes one row of each combination out of rows of any time."""
        return f"SELECT {self._together} FROM {rows} GROUP BY ALL"

    @cached_property
    def _together(self) -> str:
        measured = ", ".join(f"sum({name})::BIGINT AS {name}" for name in self.measures)
        times = "min(first_second) AS first_second, max(last_second) AS last_second"
        return f"{', '.join(self.by)}, {measured}, {times}"


_COUNTED: Final = tuple(name for name in MEASURES if name not in LATENCIES)
_FILTERS: Final = ("api", "route", "application")
_TIMED: Final = (
    f"(SELECT *, intDiv(micros, {HOUR * 1_000_000}) * {HOUR} AS hour FROM {{events}} WHERE {ASKED})"
)
ROLL_UPS: Final = (
    RollUp(
        "calls",
        ("api", "api_version", "route", "application", "is_exception"),
        (*_COUNTED, *LATENCIES),
        "(SELECT *, code <> '' AS is_exception FROM {events})",
    ),
    RollUp(
        "reasons",
        ("api", "api_version", "route", "application", "revision", "code", "alert", "status"),
        ("calls", "exceptions", "failed"),
        "(SELECT * FROM {events} WHERE code <> '' OR status >= 500)",
    ),
    RollUp("statuses", (*_FILTERS, "status"), ("calls",)),
    RollUp("revisions", (*_FILTERS, "revision"), ("calls", "exceptions", "failed", *LATENCIES)),
    RollUp(
        "targets",
        (*_FILTERS, "upstream", "target"),
        ("calls", "failed", "retried"),
        "(SELECT * FROM {events} WHERE upstream <> '')",
    ),
    RollUp(
        "shadows",
        (*_FILTERS, "reason"),
        ("calls",),
        "(SELECT *, unnest(shadow) AS reason FROM {events} WHERE len(shadow) > 0)",
    ),
    # There are far more sources than applications.
    RollUp(
        "sources",
        ("source", "is_exception", "alert"),
        ("calls", "exceptions", "failed", "bytes_in", "bytes_out"),
        "(SELECT *, code <> '' AS is_exception FROM {events})",
    ),
    RollUp(
        "models",
        (*_FILTERS, "api_version", "model", "provider", "provider_model"),
        OF_MODELS,
        f"(SELECT * FROM {{events}} WHERE {ASKED})",
        since=5,
    ),
    # Along the time, with whose calls they were and without: see `model_series` of `relations`.
    RollUp("model_hours", ("hour", *_FILTERS, "model", "provider"), TIMED_OF_MODELS, _TIMED, since=5),
    RollUp("model_times", ("hour", "model", "provider"), TIMED_OF_MODELS, _TIMED, since=5),
    RollUp(
        "model_failures",
        (*_FILTERS, "model", "provider", "provider_model", "failure", "status"),
        ("calls",),
        f"(SELECT * FROM {{events}} WHERE {ASKED} AND (failure <> '' OR is_partial OR status >= 400))",
        since=2,
    ),
    RollUp(
        "networks",
        ("application", "network"),
        ("calls", "exceptions"),
        f"(SELECT *, {NETWORK} AS network FROM {{events}} WHERE application <> '' AND source <> '')",
        since=3,
    ),
    RollUp(
        "nodes",
        ("node", "api", "application", "code"),
        ("calls", "exceptions", "refused", "failed", "bytes_out", *LATENCIES),
        since=4,
    ),
)
BY_NAME: Final = {one.name: one for one in ROLL_UPS}
TABLES: Final = (
    "events",
    "fives",
    *(one.hours for one in ROLL_UPS),
    *(one.days for one in ROLL_UPS),
)
"""The tables of a part."""
SINCE: Final = {table: one.since for one in ROLL_UPS for table in (one.hours, one.days)}
"""The first layout that has a table; those that are not named were always there."""


def made(events: str, of_hours: dict[str, str]) -> dict[str, str]:
    """What makes each table but `events`, in their order.

    Args:
        events: What reads that.
        of_hours: What reads each table of hours, which is made before that of days.
    """
    return {
        "fives": FIVES.format(events=events),
        **{one.hours: one.by_hour(events) for one in ROLL_UPS},
        **{one.days: one.by_day(of_hours[one.hours]) for one in ROLL_UPS},
    }


def out_of(table: str, events: str) -> str:
    """What makes a table of a roll-up out of events alone."""
    return made(events, {one.hours: f"({one.by_hour(events)})" for one in ROLL_UPS})[table]
