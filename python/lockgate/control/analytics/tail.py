"""What stands in segments that are not in Parquet yet, as a table in memory of this process."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import duckdb

from lockgate.control.analytics import duck
from lockgate.control.analytics.waiting import waiting
from lockgate.control.events import index
from lockgate.control.events.index import Rolled
from lockgate.control.events.models import CallException
from lockgate.control.events.recordings import SegmentName, name_of

if TYPE_CHECKING:
    from pathlib import Path

    _File = tuple[SegmentName, Path, int]

MOST_EVENTS: Final = 2_000_000
"""How many events are looked at; the newest are left out beyond, and the answer says so."""
SOON_BYTES: Final = 1 << 20
"""So little is read before each answer, in some hundredths of a second; more is read beside them."""
REST: Final = 20
"""So many times as long as reading took, what is known stands."""


@dataclass
class _Known:
    files: frozenset[tuple[str, str, int]] = frozenset()
    """What was read, with how large it was."""
    there: frozenset[tuple[str, str, int]] = frozenset()
    """What there was when somebody last looked."""
    took: float = 0.0
    at: float = 0.0
    is_cut: bool = False
    reading: threading.Lock = field(default_factory=threading.Lock)


_known = _Known()


def look() -> list[SegmentName]:
    """See that the table is as new as it can be without letting anybody wait; gives what is to be read of it.

    A segment that is in the table and not among these is in Parquet by now, or is gone.
    """
    files = _files()
    seen = frozenset((segment.key, path.name, size) for segment, path, size in files)
    _known.there = seen
    if seen != _known.files:
        if not _known.files or sum(size for *_, size in files) <= SOON_BYTES:
            _read(files, seen)
        elif time.monotonic() - _known.at > REST * _known.took and not _known.reading.locked():
            threading.Thread(target=_read, args=(files, seen), name="tail", daemon=True).start()
    return [segment for segment, *_ in files]


def forget() -> None:
    """Read everything again when it is asked for."""
    global _known  # noqa: PLW0603 - what this process knows
    _known = _Known()


def is_cut() -> bool:
    """Whether there was more than is looked at."""
    return _known.is_cut


def seen() -> Rolled:
    """From when to when the table is."""
    look()
    found = duck.cursor().execute("SELECT count(*), min(micros), max(micros) FROM tail").fetchone()
    events, first, last = found or (0, None, None)
    is_behind = _known.there != _known.files
    return Rolled(events=events, first_at=first or 0, last_at=last or 0, is_cut=_known.is_cut or is_behind)


def exceptions() -> list[CallException]:
    """The exceptions that are not in the database yet, newest first."""
    look()
    segments = index.unread()
    unread = [duck.quoted(one.key) for one in segments]
    if not unread:
        return []
    text = f"""
SELECT micros, id, api, route, application, source, method, path, status, code, alert, revision, rule,
  split_part(segment, '/', 1)
FROM tail WHERE code <> '' AND segment IN ({", ".join(unread)})
ORDER BY micros DESC, id DESC LIMIT {index.MOST_OF_SEGMENT}"""
    names = ("at", "request", "api", "route", "application", "source", "method", "path", "status")
    fields = (*names, "code", "alert", "revision", "rule", "node")
    rows = duck.cursor().execute(text).fetchall()
    return [CallException(**dict(zip(fields, row, strict=True))) for row in rows]


def _files() -> list[_File]:
    """Every segment that is not in Parquet, with its file and how large that is, in their order."""
    indexed = {SegmentName(name, node) for name, node in waiting().values_list("name", "node")}
    found = []
    for segment in sorted(indexed.union(index.unread())):
        path = index.file_of(segment)
        # It may be sealed, or be deleted, in this moment.
        with suppress(FileNotFoundError):
            if path is not None:
                found.append((segment, path, path.stat().st_size))
    return found


def _read(files: list[_File], seen: frozenset[tuple[str, str, int]]) -> None:
    with _known.reading:
        begun = time.monotonic()
        cursor = duck.cursor()
        cursor.execute("CREATE OR REPLACE TABLE staged AS SELECT * FROM tail LIMIT 0")
        room = MOST_EVENTS
        for segment, path, _ in files:
            events = duck.exceptions_of(duck.recorded([path], is_open=True), name_of(segment.node))
            name = duck.quoted(segment.key)
            try:
                cursor.execute(f"INSERT INTO staged SELECT {name}, * FROM ({events}) LIMIT {room}")
                room -= (cursor.fetchone() or (0,))[0]
            except duckdb.Error:
                # It has no whole line yet, or is damaged: the index says so when it is sealed.
                continue
        # Whoever is reading the old table goes on reading it.
        cursor.execute("CREATE OR REPLACE TABLE tail AS SELECT * FROM staged")
        _known.files, _known.is_cut = seen, room <= 0
        _known.at = time.monotonic()
        _known.took = _known.at - begun
