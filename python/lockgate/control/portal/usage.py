"""How much applications call: counted by the hour, out of the node's recording."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import IntegrityError, transaction
from django.utils import timezone

from lockgate import _engine
from lockgate.control.events.index import folder
from lockgate.control.portal.models import Counted, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

HOUR: Final = 3_600
KEPT_DAYS: Final = 90
MOST_SEGMENTS: Final = 20
"""Of one round."""
MOST_OPEN_EVENTS: Final = 100_000
STEPS: Final = 18
"""Of latencies: 1 ms to about two minutes."""
_SEALED: Final = "events-*.ndjson.zst"

_FIELDS: Final = ("calls", "refused", "failed", "last_at", "latency")

Key = tuple[int, str, str, str]


@dataclass
class Sum:
    """Calls that belong together."""

    calls: int = 0
    refused: int = 0
    failed: int = 0
    last_at: int = 0
    latency: list[int] = field(default_factory=lambda: [0] * STEPS)

    def add(self, event: dict[str, Any]) -> None:
        """Count an event."""
        self.calls += 1
        status = int(event["status"])
        code = str(event.get("code") or "")
        is_failure = status >= 500 or code.startswith("upstream.")
        self.failed += is_failure
        self.refused += bool(code) and not is_failure
        self.last_at = max(self.last_at, int(event["at"]))
        milliseconds = int(event.get("latency_us") or 0) // 1_000
        self.latency[min(milliseconds.bit_length(), STEPS - 1)] += 1

    def merge(self, other: Sum | Usage) -> None:
        """Add another sum."""
        self.calls += other.calls
        self.refused += other.refused
        self.failed += other.failed
        self.last_at = max(self.last_at, other.last_at)
        for place, count in enumerate(other.latency[:STEPS]):
            self.latency[place] += count

    def percentile(self, share: float) -> int | None:
        """Within how many milliseconds such a share of calls was answered, at most; nothing without calls."""
        wanted, seen = share * sum(self.latency), 0
        if not wanted:
            return None
        for place, count in enumerate(self.latency):
            seen += count
            if seen >= wanted:
                return int(2**place)
        return int(2 ** (STEPS - 1))

    @property
    def answered(self) -> int:
        """How many were neither refused nor failed."""
        return self.calls - self.refused - self.failed

    @property
    def last(self) -> datetime | None:
        """When the last one was."""
        return datetime.fromtimestamp(self.last_at / 1_000_000, UTC) if self.last_at else None

    @property
    def median(self) -> int | None:
        """Half of the calls took at most so many milliseconds."""
        return self.percentile(0.5)

    @property
    def slow(self) -> int | None:
        """95 of 100 calls took at most so many milliseconds."""
        return self.percentile(0.95)


def count_new() -> None:
    """One round of the worker: count segments that were sealed meanwhile, and forget what is too old."""
    for path in _uncounted()[:MOST_SEGMENTS]:
        _count(path)
    oldest = timezone.now() - timedelta(days=KEPT_DAYS)
    Usage.objects.filter(bucket__lt=int(oldest.timestamp())).delete()


def usage(names: Sequence[str], since: datetime) -> dict[Key, Sum]:
    """The calls of applications by hour, API, version and application, the newest ones too.

    Args:
        names: The applications; none gives nothing.
        since: From the hour of this time on.
    """
    if not names:
        return {}
    first = int(since.timestamp()) // HOUR * HOUR
    found: dict[Key, Sum] = {}
    for row in Usage.objects.filter(application__in=names, bucket__gte=first):
        found.setdefault((row.bucket, row.api, row.version, row.application), Sum()).merge(row)
    for key, one in _open().items():
        if key[0] >= first and key[3] in names:
            found.setdefault(key, Sum()).merge(one)
    return found


def together(sums: Iterable[Sum]) -> Sum:
    """All of them as one."""
    whole = Sum()
    for one in sums:
        whole.merge(one)
    return whole


def calls_to(names: Sequence[str], api: str, version: str, days: int) -> dict[str, Sum]:
    """How often applications called a version, each of them."""
    found = {name: Sum() for name in names}
    for (_, called, one, name), counted in usage(names, timezone.now() - timedelta(days=days)).items():
        if (called, one) == (api, version):
            found[name].merge(counted)
    return found


def _uncounted() -> list[Path]:
    where = folder()
    if where is None or not where.is_dir():
        return []
    paths = sorted(where.glob(_SEALED))
    known = set(Counted.objects.filter(name__in=[path.name for path in paths]).values_list("name", flat=True))
    return [path for path in paths if path.name not in known]


def _open() -> dict[Key, Sum]:
    """What is not in the database yet: it is looked at, and not kept."""
    where = folder()
    found: dict[Key, Sum] = {}
    if where is not None and where.is_dir():
        left = MOST_OPEN_EVENTS
        for path in [*_uncounted(), *sorted(where.glob(f"{_SEALED}.part"))]:
            left -= _roll(path, found, left)
    return found


def _roll(path: Path, found: dict[Key, Sum], most: int | None = None) -> int:
    number = 0
    try:
        for number, text in enumerate(_engine.Events(path, "{}"), 1):
            if most is not None and number > most:
                break
            event = json.loads(text)
            if not event.get("application") or not event.get("api"):
                continue
            second = int(event["at"]) // 1_000_000
            api, version = str(event["api"])[:128], str(event.get("api_version") or "")[:128]
            key = (second // HOUR * HOUR, api, version, str(event["application"])[:128])
            found.setdefault(key, Sum()).add(event)
    except OSError:
        # It is damaged, or was sealed and deleted meanwhile; what was read counts.
        return number
    return number


def _count(path: Path) -> None:
    found: dict[Key, Sum] = {}
    _roll(path, found)
    try:
        with transaction.atomic():
            # Of two who read it at once, the second fails here and counts nothing.
            Counted.objects.create(name=path.name)
            for (bucket, api, version, application), one in sorted(found.items()):
                row, _ = Usage.objects.select_for_update().get_or_create(
                    bucket=bucket, api=api, version=version, application=application
                )
                one.merge(row)
                for name in _FIELDS:
                    setattr(row, name, getattr(one, name))
                row.save(update_fields=_FIELDS)
    except IntegrityError:
        return
