"""The tables of a span of time: Parquet files that overlap it, and what is not in them yet.

A query names `events`, `fives`, `series`, `model_series` or a roll-up, and reads of each no more than it
must: whole days from that of days, whole hours beside them from that of hours, and what is beside those from
the events.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from lockgate.control.analytics import duck, rollups, store, tail
from lockgate.control.analytics.held import held
from lockgate.control.analytics.models import LIVE, Part, Taken
from lockgate.control.analytics.tables import DAY, FIVES, HOUR, OF_SERIES, single
from lockgate.control.events.models import BUCKET_SECONDS
from lockgate.control.events.recordings import SegmentName

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping

    from duckdb import DuckDBPyConnection

    from lockgate.control.analytics.rollups import RollUp
    from lockgate.control.events.times import Span

_MILLION: Final = 1_000_000
_NAMED: Final = re.compile(r"\b(?:FROM|JOIN) (\w+)")
_FILTERS: Final = ("api", "route", "application")
_NOTHING: Final = ", ".join(f"'' AS {one}" for one in _FILTERS)
"""For a query that has filters, and none of them set."""
_MODEL_HOURS: Final = "SELECT * FROM model_hours"
_MODEL_TIMES: Final = f"SELECT *, {_NOTHING} FROM model_times"
_SERIES: Final = {
    ("api",): ("api", "$api"),
    ("application",): ("application", "$application"),
    ("api", "route"): ("route", "$api || '/' || $route"),
}
"""Which series of `fives` has what filters leave, and what it is called there."""


@dataclass
class _Shared:
    relations: dict[Span, Relations] = field(default_factory=dict)
    answers: dict[Hashable, list[tuple[Any, ...]]] = field(default_factory=dict)


_shared: ContextVar[_Shared | None] = ContextVar("shared", default=None)


@contextmanager
def at_once() -> Iterator[None]:
    """Let the queries of a page see the same files, which are looked up once and read once."""
    shared = _Shared()
    token = _shared.set(shared)
    try:
        yield
    finally:
        for one in shared.relations.values():
            one.close()
        _shared.reset(token)


def relations_of(span: Span) -> Relations:
    """The tables of a span, as this page sees them."""
    shared = _shared.get()
    if shared is None:
        return Relations(span)
    if span not in shared.relations:
        shared.relations[span] = Relations(span, keeps=True)
    return shared.relations[span]


def once(query: Hashable, ask: Callable[[], list[tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
    """The rows of a query, which is asked once for all charts and tables of a page that show it."""
    shared = _shared.get()
    if shared is None:
        return ask()
    if query not in shared.answers:
        shared.answers[query] = ask()
    return shared.answers[query]


class Relations:
    """What `WITH` stands before a query of a span.

    Args:
        span: From when to when.
        keeps: Whether more than one query is to be expected, so that a roll-up is added up once for all.
    """

    def __init__(self, span: Span, *, keeps: bool = False) -> None:
        unread = tail.look()
        self._start, self._end = span.micros
        self._parts = list(
            Part.objects.filter(state=LIVE, last_at__gte=self._start, first_at__lt=self._end).order_by(
                "first_at"
            )
        )
        # Of what was taken in between, only what is in those parts is not read twice.
        names = [one.name for one in unread]
        there = Taken.objects.filter(segment__in=names, part__in=self._parts) if unread else []
        taken = {SegmentName(one.segment, one.node) for one in there}
        self._unread = [one.key for one in unread if one not in taken]
        self._is_fine = span.step < HOUR
        self._hours = _whole(span.start, span.end, HOUR)
        self._days = _whole(*self._hours, DAY)
        self._keeps = keeps
        self._kept: set[str] = set()
        self._cursor: DuckDBPyConnection | None = None

    def ask(self, text: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a query over the tables.

        Raises:
            duckdb.Error: Files cannot be read.
        """
        given = parameters or {}
        if self._cursor is None:
            self._cursor = duck.cursor()
        if self._keeps and self._unread:
            for name in _named(text) & set(rollups.BY_NAME) - self._kept:
                self._cursor.execute(f"CREATE TEMP TABLE {name} AS {self.before(f'SELECT * FROM {name}')}")
                self._kept.add(name)
        filters = tuple(name for name in _FILTERS if given.get(name))
        return self._cursor.execute(self.before(text, filters), given).fetchall()

    def unsent(self, to: str) -> tuple[list[Part], str]:
        """What a ClickHouse server does not have for sure.

        Args:
            to: Its table.

        Returns:
            The parts that may be there or not; what selects their calls, and those that are in no part yet.
        """
        parts = [one for one in self._parts if not (one.is_sent and one.server == to)]
        stored = store.read("events", parts)
        return parts, self.before(
            f"SELECT * FROM {stored} WHERE {self._within()} UNION ALL SELECT * FROM fresh"
        )

    def close(self) -> None:
        """Let go of what was kept."""
        if self._cursor is not None:
            self._cursor.close()

    def before(self, text: str, filters: tuple[str, ...] = ()) -> str:
        """A query with the tables that it names before it.

        Args:
            text: The query.
            filters: Which of its filters are set.
        """
        made: dict[str, Callable[[], str]] = {
            "fresh": self._fresh,
            "events": self._events,
            "beside": self._beside,
            "fives": self._fives,
            "series": lambda: self._series(filters),
            "model_series": lambda: _MODEL_HOURS if filters else _MODEL_TIMES,
            **{one.name: partial(self._rolled, one) for one in rollups.ROLL_UPS},
        }
        found: dict[str, str] = {}

        def find(text: str) -> None:
            for name in sorted(_named(text) & set(made) - set(found) - self._kept):
                found[name] = ""
                written = made[name]()
                find(written)
                # What it reads stands before it.
                del found[name]
                found[name] = written

        find(text)
        if not found:
            return text
        return "WITH " + ",\n".join(f"{name} AS ({one})" for name, one in found.items()) + f"\n{text}"

    def _fresh(self) -> str:
        if not self._unread:
            return "SELECT * FROM no_events"
        names = ", ".join(duck.quoted(name) for name in self._unread)
        return f"SELECT * EXCLUDE (segment, rule) FROM tail WHERE {self._within()} AND segment IN ({names})"

    def _events(self) -> str:
        stored = store.read("events", self._parts)
        return f"SELECT * FROM {stored} WHERE {self._within()} UNION ALL SELECT * FROM fresh"

    def _beside(self) -> str:
        """The events that are in no whole hour."""
        return f"{self._stored_beside(self._parts_beside())} UNION ALL SELECT * FROM fresh"

    def _parts_beside(self) -> list[Part]:
        first, last = (second * _MILLION for second in self._hours)
        return [one for one in self._parts if one.first_at < first or one.last_at >= last]

    def _stored_beside(self, parts: list[Part]) -> str:
        first, last = (second * _MILLION for second in self._hours)
        outside = f"(micros < {first} OR micros >= {last})"
        return f"SELECT * FROM {store.read('events', parts)} WHERE {self._within()} AND {outside}"

    def _overlapping(self, start: int, end: int) -> list[Part]:
        start, end = start * _MILLION, end * _MILLION
        return [one for one in self._parts if one.last_at >= start and one.first_at < end and start < end]

    def _rolled(self, one: RollUp) -> str:
        """A roll-up: what is held of the files, and what is in none yet."""
        found = []
        if self._parts:
            key = (one.name, self._start, self._end, *_names(self._parts))
            found.append(f"SELECT * FROM {held(key, lambda: self._stored(one))}")
        if self._unread or not found:
            found.append(f"SELECT {one.columns} FROM ({one.by_hour('fresh')})")
        return " UNION ALL ".join(found)

    def _stored(self, one: RollUp) -> str:
        begins, ends = self._days
        first, last = self._hours
        edges = [(first, begins), (ends, last)] if begins < ends else [(first, last)]
        pieces = [f"SELECT {one.columns} FROM no_{one.hours}"]
        if parts := self._overlapping(begins, ends):
            pieces.append(_held_of(one, one.days, parts, begins, ends))
        for start, end in edges:
            pieces += [_held_of(one, one.hours, [part], start, end) for part in self._overlapping(start, end)]
        if parts := self._parts_beside():
            pieces.append(f"SELECT {one.columns} FROM ({one.by_hour(f'({self._stored_beside(parts)})')})")
        return one.whole(f"({' UNION ALL '.join(pieces)})")

    def _series(self, filters: tuple[str, ...]) -> str:
        """Calls along the time, of those that filters leave."""
        if not filters:
            return self._totals()
        if filters in _SERIES:
            sort, name = _SERIES[filters]
            asked = ", ".join(f"{f'${one}' if one in filters else repr('')} AS {one}" for one in _FILTERS)
            return f"SELECT *, {asked} FROM fives WHERE sort = '{sort}' AND name = {name}"
        if self._is_fine:
            five = f"micros // {_MILLION} // {BUCKET_SECONDS} * {BUCKET_SECONDS}"
            return f"SELECT {single(five, _FILTERS)} FROM events"
        hour = f"micros // {_MILLION} // {HOUR} * {HOUR}"
        rest = f"SELECT {single(hour, _FILTERS)} FROM beside"
        first, last = self._hours
        columns = ", ".join(("second", *_FILTERS, *OF_SERIES))
        hours = f"SELECT {columns} FROM {store.read(rollups.BY_NAME['calls'].hours, self._parts)}"
        return f"{hours} WHERE second >= {first} AND second < {last} UNION ALL {rest}"

    def _totals(self) -> str:
        """The series of all calls, of which the files of days that are over are read once together."""
        today = self._end // _MILLION - DAY
        over = [part for part in self._parts if part.last_at < today * _MILLION]
        pieces = []
        for parts in ([over] if over else []) + [[part] for part in self._parts if part not in over]:
            columns = ", ".join(("second", *OF_SERIES))
            text = f"SELECT {columns} FROM {store.read('fives', parts)} WHERE sort = ''"
            pieces.append(f"SELECT * FROM {held(('fives', *_names(parts)), partial(str, text))}")
        if self._unread or not pieces:
            five = f"micros // {_MILLION} // {BUCKET_SECONDS} * {BUCKET_SECONDS}"
            pieces.append(f"SELECT {single(five)} FROM fresh")
        within = f"second >= {self._start // _MILLION} AND second < {self._end // _MILLION}"
        return f"SELECT *, {_NOTHING} FROM ({' UNION ALL '.join(pieces)}) WHERE {within}"

    def _fives(self) -> str:
        within = f"second >= {self._start // _MILLION} AND second < {self._end // _MILLION}"
        stored = f"SELECT * FROM {store.read('fives', self._parts)} WHERE {within}"
        return f"{stored} UNION ALL BY NAME ({FIVES.format(events='fresh')})"

    def _within(self) -> str:
        return f"micros >= {self._start} AND micros < {self._end}"


def _named(text: str) -> set[str]:
    return set(_NAMED.findall(text))


def _whole(start: int, end: int, size: int) -> tuple[int, int]:
    """The first whole hour or day, and the end of the last one; nothing at the end when there is none."""
    first, last = start + -start % size, end - end % size
    return (first, last) if first < last else (end, end)


def _held_of(one: RollUp, table: str, parts: list[Part], start: int, end: int) -> str:
    text = f"(SELECT * FROM {store.read(table, parts)} WHERE second >= {start} AND second < {end})"
    return f"SELECT * FROM {held((table, start, end, *_names(parts)), lambda: one.whole(text))}"


def _names(parts: Iterable[Part]) -> list[str]:
    return [part.name for part in parts]
