"""Taking sealed segments of recordings into Parquet, each once, and merging what is small."""

from __future__ import annotations

import logging
import re
import tempfile
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import duckdb
from django.db import IntegrityError
from django.db.models import Count as CountOf
from django.db.models import Exists, Min, OuterRef, Q

from lockgate import _engine
from lockgate.control.analytics import duck, server, store
from lockgate.control.analytics.models import LIVE, Part, Taken
from lockgate.control.analytics.tables import LAYOUT
from lockgate.control.analytics.waiting import waiting
from lockgate.control.events.index import RETENTION_DAYS
from lockgate.control.events.models import Segment
from lockgate.control.events.recordings import SegmentName, name_of, path_of

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path


log = logging.getLogger(__name__)

SEGMENTS: Final = 20
"""How many segments a round takes."""
MOST_PARTS: Final = 8
"""A day that goes on has at most so many parts that could be one."""
MOST_EVENTS: Final = 5_000_000
"""Parts are not merged beyond this: merging again and again would cost more than reading."""
DAYS: Final = 4
"""How many days a round merges."""
_STARTED: Final = re.compile(r"events-(\d{16})-")


def take_new(most: int = SEGMENTS) -> int:
    """Take segments that the index has; gives how many are still waiting.

    One that the disk does not let us read or write now is taken in a later round.
    """
    for segment in waiting()[:most]:
        path = path_of(SegmentName(segment.name, segment.node))
        if path is None:
            # Nothing is recorded now; it may be again.
            continue
        try:
            take(segment, path)
        except (OSError, duckdb.Error) as error:
            log.warning("segment %s is not in Parquet yet: %s", segment.name, error)
    return waiting().count()


def take(segment: Segment, path: Path) -> None:
    """Take one segment.

    Raises:
        OSError: The disk does not take it.
        duckdb.Error: The same.
    """
    if segment.last_at < _oldest() * 1_000_000:
        _note(segment, "")
    elif not path.exists():
        _note(segment, "its segment was deleted before it was taken into Parquet")
    else:
        _take(segment, path)


def merge() -> None:
    """Merge the parts of days that are over, and of days that have many, and renew those of older layouts."""
    merged = 0
    for alike in server.mergeable():
        for day in _days_of(alike):
            parts = Part.objects.filter(alike, state=LIVE, day=day).order_by("first_at", "id")
            if run := _run(list(parts)):
                _merge(run)
                merged += 1
            if merged == DAYS:
                return


def _days_of(alike: Q) -> list[date]:
    """Where there may be something to merge of parts that are alike."""
    today = datetime.now(UTC).date()
    days = (
        Part.objects.filter(alike, state=LIVE)
        .values("day")
        .annotate(parts=CountOf("id"), oldest=Min("layout"))
        .filter(Q(parts__gte=2) | Q(oldest__lt=LAYOUT))
        .order_by("day")
    )
    return [
        row["day"]
        for row in days
        if row["day"] < today or row["parts"] >= MOST_PARTS or row["oldest"] < LAYOUT
    ]


def forget_old() -> None:
    """Drop partitions that are older than what is kept, and what is said of them."""
    oldest = _oldest()
    store.drop_before(oldest)
    server.drop_before(oldest)
    known = Segment.objects.filter(node=OuterRef("node"), name=OuterRef("segment"))
    gone = Taken.objects.filter(~Exists(known), part=None, last_at__lt=(oldest - 86_400) * 1_000_000)
    gone.delete()


def _take(segment: Segment, path: Path) -> None:
    part = store.begin(_day(path))
    try:
        try:
            store.write(part, duck.events_of(duck.recorded([path]), name_of(segment.node)))
            is_as_indexed = part.events == segment.events
        except duckdb.Error:
            is_as_indexed = False
        if not is_as_indexed:
            # It is damaged: the engine reads on behind a damage, and says so in the index.
            _write_line_by_line(part, path, name_of(segment.node))
        if not part.events:
            store.give_up(part)
            _note(segment, "no event of it can be read")
            return
        store.seal(part)
        held = _said(segment, "")
        held.first_at, held.last_at, held.events = part.first_at, part.last_at, part.events
        store.commit(part, [held])
    except IntegrityError:
        # Somebody else took it in the same moment.
        store.give_up(part)
    except (OSError, duckdb.Error):
        store.give_up(part)
        raise


def _write_line_by_line(part: Part, path: Path, node: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".ndjson", encoding="utf-8") as lines:
        for text in _engine.Events(path, "{}"):
            lines.write(text + "\n")
        lines.flush()
        recorded = duck.recorded([lines.name], compression="uncompressed")
        store.write(part, duck.events_of(recorded, node))


def _run(parts: list[Part]) -> list[Part]:
    """The first parts in a row that may be one; a single one that is of an older layout."""
    run: list[Part] = []
    for part in parts:
        if run and sum(one.events for one in run) + part.events > MOST_EVENTS:
            if _gains(run):
                break
            run = []
        run.append(part)
    return run if _gains(run) else []


def _gains(run: list[Part]) -> bool:
    return len(run) > 1 or any(part.layout < LAYOUT for part in run)


def _merge(run: list[Part]) -> None:
    part = store.begin(run[0].day)
    part.server, part.is_sent = run[0].server, run[0].is_sent
    try:
        store.write(part, f"SELECT * FROM {store.read('events', run)}")
        store.seal(part)
        store.commit(part, instead_of=run)
    except store.GoneError:
        store.give_up(part)
    except (OSError, duckdb.Error):
        store.give_up(part)
        raise


def _note(segment: Segment, problem: str) -> None:
    Taken.objects.get_or_create(
        node=segment.node,
        segment=segment.name,
        defaults={
            "first_at": segment.first_at,
            "last_at": segment.last_at,
            "events": segment.events,
            "problem": problem,
        },
    )


def _said(segment: Segment, problem: str) -> Taken:
    return Taken(
        node=segment.node,
        segment=segment.name,
        first_at=segment.first_at,
        last_at=segment.last_at,
        events=segment.events,
        problem=problem,
    )


def _day(path: Path) -> date:
    started = _STARTED.match(path.name)
    second = int(started[1]) / 1_000_000 if started else path.stat().st_mtime
    return datetime.fromtimestamp(second, UTC).date()


def _oldest() -> int:
    return int(time.time() - timedelta(days=RETENTION_DAYS).total_seconds())
