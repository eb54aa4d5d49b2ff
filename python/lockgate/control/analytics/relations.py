"""The tables of a span of time: Parquet files that overlap it, and what is not in them yet.

A query names `events`, `counted`, `sources` or `fives`, and reads of each no more than it must: whole
hours from the roll-up, what is beside them from the events.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from lockgate.control.analytics import duck, store, tail
from lockgate.control.analytics.models import LIVE, Part, Taken
from lockgate.control.analytics.tables import FIVES, HOUR, SOURCES, single

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lockgate.control.events.times import Span

_MILLION: Final = 1_000_000


_shared: ContextVar[dict[Span, Relations] | None] = ContextVar("shared", default=None)


@contextmanager
def at_once() -> Iterator[None]:
    """Let the queries of a page see the same files, which are looked up once."""
    token = _shared.set({})
    try:
        yield
    finally:
        _shared.reset(token)


def relations_of(span: Span) -> Relations:
    """The tables of a span, as this page sees them."""
    shared = _shared.get()
    if shared is None:
        return Relations(span)
    if span not in shared:
        shared[span] = Relations(span)
    return shared[span]


class Relations:
    """What `WITH` stands before a query of a span.

    Args:
        span: From when to when.
    """

    def __init__(self, span: Span) -> None:
        unread = tail.look()
        self._start, self._end = span.micros
        self._parts = list(
            Part.objects.filter(state=LIVE, last_at__gte=self._start, first_at__lt=self._end).order_by(
                "first_at"
            )
        )
        # Of what was taken in between, only what is in those parts is not read twice.
        there = Taken.objects.filter(segment__in=unread, part__in=self._parts) if unread else []
        self._unread = sorted(set(unread) - {one.segment for one in there})
        is_fine = span.step < HOUR
        # The first whole hour, and the end of the last one.
        first, last = span.start + -span.start % HOUR, span.end - span.end % HOUR
        if is_fine or first >= last:
            self._hours = (span.end, span.end)
        else:
            self._hours = (first, last)
        self._second = "micros // 1000000 // 300 * 300" if is_fine else "micros // 1000000 // 3600 * 3600"

    def ask(self, text: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a query over the tables.

        Raises:
            duckdb.Error: Files cannot be read.
        """
        return duck.cursor().execute(f"{self.text}\n{text}", parameters or {}).fetchall()

    @cached_property
    def text(self) -> str:
        """The tables, for a query to stand behind."""
        made = {
            "fresh": self._fresh(),
            "events": self._events(),
            "beside": self._beside(),
            "counted": self._counted(),
            "sources": self._sources(),
            "fives": self._fives(),
        }
        return "WITH " + ",\n".join(f"{name} AS ({text})" for name, text in made.items())

    def _fresh(self) -> str:
        if not self._unread:
            return "SELECT * FROM no_events"
        names = ", ".join(duck.quoted(name) for name in self._unread)
        return f"SELECT * EXCLUDE (segment) FROM tail WHERE {self._within()} AND segment IN ({names})"

    def _events(self) -> str:
        stored = _read("events", self._parts)
        return f"SELECT * FROM {stored} WHERE {self._within()} UNION ALL SELECT * FROM fresh"

    def _beside(self) -> str:
        """The events that are in no whole hour."""
        first, last = (second * _MILLION for second in self._hours)
        parts = [one for one in self._parts if one.first_at < first or one.last_at >= last]
        outside = f"(micros < {first} OR micros >= {last})"
        stored = f"SELECT * FROM {_read('events', parts)} WHERE {self._within()} AND {outside}"
        return f"{stored} UNION ALL SELECT * FROM fresh"

    def _counted(self) -> str:
        rest = f"SELECT {single(self._second)} FROM beside"
        first, last = self._hours
        if first >= last:
            return rest
        hours = f"SELECT * FROM {_read('hours', self._parts)} WHERE second >= {first} AND second < {last}"
        return f"{hours} UNION ALL BY NAME {rest}"

    def _sources(self) -> str:
        rest = SOURCES.format(events="beside")
        first, last = self._hours
        if first >= last:
            return rest
        stored = _read("sources", self._parts)
        hours = f"SELECT * FROM {stored} WHERE second >= {first} AND second < {last}"
        return f"{hours} UNION ALL BY NAME ({rest})"

    def _fives(self) -> str:
        within = f"second >= {self._start // _MILLION} AND second < {self._end // _MILLION}"
        stored = f"SELECT * FROM {_read('fives', self._parts)} WHERE {within}"
        return f"{stored} UNION ALL BY NAME ({FIVES.format(events='fresh')})"

    def _within(self) -> str:
        return f"micros >= {self._start} AND micros < {self._end}"


def _read(table: str, parts: Iterable[Part]) -> str:
    files = ", ".join(duck.quoted(store.file_of(table, part)) for part in parts)
    return f"read_parquet([{files}], hive_partitioning = false)" if files else f"no_{table}"
