"""The files of parts, and the steps by which they come and go.

A part is announced, written, made durable, and only then taken into the catalogue; one that goes is taken
out of the catalogue first, and its files are removed when nobody can be reading them. Every file belongs
to a row, so whatever is left behind by a death is found and removed.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction

from lockgate.control.analytics import duck, rollups
from lockgate.control.analytics.models import LIVE, RETIRED, WRITING, Part, Taken
from lockgate.control.analytics.tables import LAYOUT
from lockgate.control.events.models import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from pathlib import Path

    from duckdb import DuckDBPyConnection

log = logging.getLogger(__name__)

GRACE_SECONDS: Final = 60
"""How long files of a retired part stay, for those who are reading them."""
ABANDONED_SECONDS: Final = 3_600
"""After so long, whoever wrote a part is taken for dead."""
_COPY: Final = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"


class GoneError(Exception):
    """Somebody else was faster; nothing is lost."""


def folder() -> Path:
    """Where the Parquet files are."""
    path: Path = settings.LOCKGATE.state / "analytics"
    return path


def file_of(table: str, part: Part) -> Path:
    """The file of a part in a table."""
    return folder() / table / f"day={part.day.isoformat()}" / f"{part.name}.parquet"


def read(table: str, parts: Iterable[Part]) -> str:
    """What reads a table of parts; the events of those instead that were written before it was known."""
    since = rollups.SINCE.get(table, 1)
    having: list[Part] = []
    lacking: list[Part] = []
    for part in parts:
        (having if part.layout >= since else lacking).append(part)
    if not lacking:
        return _kept(table, having)
    made = rollups.out_of(table, _kept("events", lacking))
    return f"(SELECT * FROM {_kept(table, having)} UNION ALL BY NAME SELECT * FROM ({made}))"


def _kept(table: str, parts: list[Part]) -> str:
    if not parts:
        return f"no_{table}"
    files = ", ".join(duck.quoted(file_of(table, part)) for part in parts)
    if table != "events" or all(part.layout == LAYOUT for part in parts):
        return f"read_parquet([{files}], hive_partitioning = false)"
    # What older files do not say is NULL, and in the place where newer ones say it.
    found = f"read_parquet([{files}], hive_partitioning = false, union_by_name = true)"
    return f"(SELECT * FROM no_events UNION ALL BY NAME SELECT * FROM {found})"


def begin(day: date) -> Part:
    """Announce a part, before any file of it is there."""
    name = f"{day:%Y%m%d}-{secrets.token_hex(8)}"
    return Part.objects.create(name=name, day=day, state=WRITING, layout=LAYOUT, since=_now())


def write(part: Part, events: str) -> None:
    """Write the files of a part.

    Args:
        part: Whose.
        events: What selects its events.
    """
    connection = duck.cursor()
    where = file_of("events", part)
    _copy(connection, events, where)
    kept = _read(where)
    hours = {one.hours: _read(file_of(one.hours, part)) for one in rollups.ROLL_UPS}
    for table, text in rollups.made(kept, hours).items():
        _copy(connection, text, file_of(table, part))
    found = connection.execute(f"SELECT count(*), min(micros), max(micros) FROM {kept}").fetchone()
    count, first, last = found or (0, None, None)
    part.events, part.first_at, part.last_at = count, first or 0, last or 0


def seal(part: Part) -> None:
    """Make the files of a part durable: the catalogue must not outlive them."""
    for table in rollups.TABLES:
        path = file_of(table, part)
        _sync(path)
        _sync(path.parent)


def commit(part: Part, taken: Sequence[Taken] = (), instead_of: Sequence[Part] = ()) -> None:
    """Let a part count, in one transaction with what it holds and what it replaces.

    Raises:
        GoneError: What it replaces does not count any more.
        django.db.IntegrityError: A segment that it holds is in another part.
    """
    with transaction.atomic():
        # Whoever counts what is here and what is not holds this, too.
        Progress.objects.select_for_update().get(pk=1)
        part.state, part.since = LIVE, _now()
        part.save()
        old = [one.pk for one in instead_of]
        retired = Part.objects.filter(pk__in=old, state=LIVE).update(state=RETIRED, since=_now())
        if retired != len(old):
            raise GoneError
        Taken.objects.filter(part__in=old).update(part=part)
        for one in taken:
            one.part = part
            one.save(force_insert=True)


def give_up(part: Part) -> None:
    """Let a part that never counted go."""
    Part.objects.filter(pk=part.pk).update(state=RETIRED, since=_now())


def drop_before(second: int) -> int:
    """Drop the partitions that are older; gives how many parts went.

    A partition goes as a whole, when its last event is older.
    """
    kept = Part.objects.filter(state=LIVE, last_at__gte=second * 1_000_000).values("day")
    with transaction.atomic():
        Progress.objects.select_for_update().get(pk=1)
        old = Part.objects.filter(state=LIVE, last_at__lt=second * 1_000_000).exclude(day__in=kept)
        names = list(old.values_list("pk", flat=True))
        Taken.objects.filter(part__in=names).update(part=None)
        return Part.objects.filter(pk__in=names).update(state=RETIRED, since=_now())


def sweep() -> int:
    """Remove files that do not count, and nobody can be reading or writing; gives how many parts."""
    now = _now()
    gone = Part.objects.filter(state=RETIRED, since__lte=now - GRACE_SECONDS)
    dead = Part.objects.filter(state=WRITING, since__lte=now - ABANDONED_SECONDS)
    parts = [*gone[:1_000], *dead[:1_000]]
    for part in parts:
        for table in rollups.TABLES:
            path = file_of(table, part)
            path.unlink(missing_ok=True)
            if path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()
        part.delete()
    return len(parts)


def _read(path: Path) -> str:
    return f"read_parquet({duck.quoted(path)}, hive_partitioning = false)"


def _copy(connection: DuckDBPyConnection, what: str, to: Path) -> None:
    if not to.parent.exists():
        to.parent.mkdir(parents=True, exist_ok=True)
        for one in (to.parent.parent, folder()):
            _sync(one)
    connection.execute(f"COPY ({what}) TO {duck.quoted(to)} {_COPY}")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _now() -> int:
    return int(time.time())
