"""Reading a whole segment at once: what is counted of it is counted in DuckDB, and no call is an object."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import duckdb

from lockgate.control.analytics import duck
from lockgate.control.events.models import BUCKET_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

Key = tuple[int, str, str, str]
EXCEPTION: Final = (
    *("at", "request", "api", "route", "application", "source", "method", "path", "status", "code", "alert"),
    *("revision", "rule"),
)
"""The fields of an exception, as `Segment.exceptions` has them."""
_COLUMNS: Final = ("micros", "id", *EXCEPTION[2:])


@dataclass
class Whole:
    """What a segment says that can be read from its first to its last byte."""

    counts: Counter[Key] = field(default_factory=Counter)
    exceptions: list[tuple[object, ...]] = field(default_factory=list)
    revisions: list[tuple[int, str]] = field(default_factory=list)
    events: int = 0
    first_at: int = 0
    last_at: int = 0
    refused: int = 0
    """How many exceptions there are, kept one by one or not."""


def whole(path: Path, most: int) -> Whole | None:
    """Read a segment; nothing when something in it is damaged, or is no event.

    Args:
        path: Its file.
        most: How many exceptions are kept one by one.
    """
    cursor = duck.cursor()
    columns = ", ".join(_COLUMNS)
    rows = duck.exceptions_of(duck.recorded([path]))
    try:
        # Checksums of zstd are looked at, and a line that is cut off or of other types is an error.
        cursor.execute(f"CREATE TEMP TABLE segment AS SELECT {columns} FROM ({rows})")
    except duckdb.Error:
        return None
    found = cursor.execute(
        "SELECT count(*), count(micros), min(micros), max(micros), count(*) FILTER (code <> '') FROM segment"
    ).fetchone()
    events, timed, first, last, refused = found or (0, 0, 0, 0, 0)
    if not events or timed != events:
        return None
    counted = f"""
SELECT micros // 1000000 // {BUCKET_SECONDS} * {BUCKET_SECONDS}, api, application, code, count(*)
FROM segment GROUP BY ALL"""
    kept = f"SELECT {columns} FROM segment WHERE code <> '' ORDER BY rowid LIMIT {most}"
    changed = """
SELECT micros, revision FROM segment
QUALIFY lag(revision) OVER (ORDER BY rowid) IS DISTINCT FROM revision ORDER BY rowid"""
    try:
        return Whole(
            Counter({tuple(key): count for *key, count in cursor.execute(counted).fetchall()}),
            cursor.execute(kept).fetchall(),
            cursor.execute(changed).fetchall(),
            events,
            first,
            last,
            refused,
        )
    finally:
        cursor.close()
