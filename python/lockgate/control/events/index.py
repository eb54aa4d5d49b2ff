"""Reading segments of recordings into the database, each once, in the transaction of all that it says."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from lockgate import _engine
from lockgate.control.audit.services import Actor, record
from lockgate.control.events import segments
from lockgate.control.events.alerts import alert_of
from lockgate.control.events.models import BUCKET_SECONDS, CallException, Count, Progress, Segment
from lockgate.control.events.recordings import FIRST, PART, SegmentName, path_of, recordings

if TYPE_CHECKING:
    from pathlib import Path

MOST_EXCEPTIONS: Final = 500_000
"""How many exceptions are kept one by one; counts go on beyond."""
MOST_OF_SEGMENT: Final = 50_000
"""How many of one segment."""
RETENTION_DAYS: Final = 90
"""How long it is known which segments there were, and their events are kept in Parquet."""
COUNT_DAYS: Final = 8
"""How long counts are in the database, for what looks at the last week; Parquet has those of months."""
MOST_OPEN_EVENTS: Final = 200_000
"""How many events of the segment that is being written are looked at."""
TURNS_SECONDS: Final = 600
"""How long a revision may be met by nobody while others are: a canary of a few callers takes turns so."""
_BATCH: Final = 500

Key = tuple[int, str, str, str]
_read: dict[Path, frozenset[str]] = {}
"""By folder, segments that are in the database: of many, asking for each again takes longer than reading."""


@dataclass
class Rolled:
    """What a segment says.

    Args:
        node: Whose it is.
    """

    node: str = FIRST
    counts: Counter[Key] = field(default_factory=Counter)
    exceptions: list[CallException] = field(default_factory=list)
    revisions: list[tuple[int, str]] = field(default_factory=list)
    """Each revision that came after another, and when it was first seen."""
    events: int = 0
    first_at: int = 0
    last_at: int = 0
    is_cut: bool = False
    """Whether there was more than was looked at."""
    unkept: int = 0
    """How many exceptions are counted, and not kept one by one."""

    def add(self, event: dict[str, Any]) -> None:
        """Count an event."""
        at = int(event["at"])
        if self.events == 0:
            self.first_at = at
        self.events += 1
        self.first_at, self.last_at = min(self.first_at, at), max(self.last_at, at)
        # A redirect, or the answer to a preflight, says which policy gave it; nobody was refused.
        code = "" if event.get("decision") == "respond" else _short(event.get("code"), 64)
        api, application = _short(event.get("api"), 128), _short(event.get("application"), 128)
        second = at // 1_000_000
        self.counts[(second - second % BUCKET_SECONDS, api, application, code)] += 1
        revision = _short(event.get("revision"), 64)
        if not self.revisions or self.revisions[-1][1] != revision:
            self.revisions.append((at, revision))
        if code and len(self.exceptions) >= MOST_OF_SEGMENT:
            self.unkept += 1
        elif code:
            self.exceptions.append(
                CallException(
                    at=at,
                    request=_short(event.get("id"), 64),
                    api=api,
                    route=_short(event.get("route"), 128),
                    application=application,
                    source=_short(event.get("client"), 45),
                    method=_short(event.get("method"), 16),
                    path=_short(event.get("path"), 512),
                    status=int(event["status"]),
                    code=code,
                    rule=_short(_rule(event), 64),
                    alert=alert_of(code),
                    revision=revision,
                    node=self.node,
                )
            )


@dataclass
class Met:
    """Which revisions callers of a node met lately."""

    told: str
    """The one that the audit log told of last."""
    until: dict[str, int]
    """Until when each was met, in microseconds."""


def folder() -> Path | None:
    """The folder of the first node's recording, when it has one: others serve the same document."""
    path: Path | None = settings.LOCKGATE.recording
    return path


def index_new(most: int = 100) -> int:
    """Read segments that were sealed since the last call; gives how many are still waiting.

    Args:
        most: How many segments are read at most.
    """
    waiting = _waiting()
    for segment in waiting[:most]:
        _index(segment)
    return max(0, len(waiting) - most)


def open_segments() -> Rolled:
    """What stands in segments that are still being written. It is looked at, and not kept."""
    rolled = Rolled()
    for segment in unread():
        if (path := file_of(segment)) is not None:
            rolled.node = segment.node
            _roll(path, rolled, MOST_OPEN_EVENTS)
    rolled.is_cut |= bool(rolled.unkept)
    return rolled


def unread() -> list[SegmentName]:
    """The segments that are not in the database, in their order: being written, or sealed just now."""
    known = {
        SegmentName(name.removesuffix(PART), one.node)
        for one in recordings()
        for name in one.names()
        if name.endswith(PART)
    }
    # One that was sealed after the last reading is not in the database either.
    return sorted(known.union(_waiting()))


def file_of(segment: SegmentName) -> Path | None:
    """The file of a segment, which may be sealed or not; nothing when it is there no more."""
    sealed = path_of(segment)
    if sealed is None:
        return None
    # It may be sealed between one look and the next.
    paths = (sealed, sealed.with_name(f"{sealed.name}{PART}"), sealed)
    return next((path for path in paths if path.exists()), None)


def _waiting() -> list[SegmentName]:
    """The sealed segments that are not in the database, in their order."""
    waiting: list[SegmentName] = []
    for one in recordings():
        names = frozenset(name for name in one.names() if not name.endswith(PART))
        unknown = sorted(names - _read.get(one.folder, frozenset()))
        there: set[str] = set()
        for start in range(0, len(unknown), _BATCH):
            asked = Segment.objects.filter(node=one.node, name__in=unknown[start : start + _BATCH])
            there.update(asked.values_list("name", flat=True))
        new = [name for name in unknown if name not in there]
        if unknown or len(names) != len(_read.get(one.folder, ())):
            _read[one.folder] = names.difference(new)
        waiting += [SegmentName(name, one.node) for name in new]
    return sorted(waiting)


def _roll(path: Path, rolled: Rolled, most: int | None = None) -> list[str]:
    try:
        events = _engine.Events(path, "{}")
        for text in events:
            if most is not None and rolled.events >= most:
                rolled.is_cut = True
                break
            rolled.add(json.loads(text))
    except OSError as error:
        return [f"{path.name} cannot be read: {error.strerror or error}"]
    return events.damages()


def _whole(path: Path, node: str) -> Rolled | None:
    found = segments.whole(path, MOST_OF_SEGMENT)
    if found is None:
        return None
    exceptions = [
        CallException(**dict(zip(segments.EXCEPTION, row, strict=True)), node=node)
        for row in found.exceptions
    ]
    return Rolled(
        node=node,
        counts=found.counts,
        exceptions=exceptions,
        revisions=found.revisions,
        events=found.events,
        first_at=found.first_at,
        last_at=found.last_at,
        unkept=found.refused - len(exceptions),
    )


def _index(segment: SegmentName) -> None:
    path = path_of(segment)
    if path is None:
        return
    damages: list[str] = []
    rolled = _whole(path, segment.node)
    if rolled is None:
        # The engine reads on behind a damage, and says where it is.
        rolled = Rolled(segment.node)
        damages = _roll(path, rolled)
    if not rolled.events and not damages:
        # Nothing is sealed that has no event.
        damages = [f"no event of segment `{path.name}` can be read"]
    if rolled.unkept:
        damages.append(f"{rolled.unkept:,} exceptions are counted here, and not kept one by one")
    first_at = min(segment.begins, rolled.first_at or segment.begins)
    with transaction.atomic():
        progress = Progress.objects.select_for_update().get(pk=1)
        of_node = Segment.objects.filter(node=segment.node)
        if of_node.filter(name=segment.name).exists():
            return
        made = Segment(
            node=segment.node,
            name=segment.name,
            number=segment.number,
            first_at=first_at,
            last_at=max(segment.begins, rolled.last_at),
            events=rolled.events,
            damages=[damage[:500] for damage in damages[:20]],
            revision=rolled.revisions[-1][1] if rolled.revisions else "",
        )
        older = Q(first_at__lt=first_at) | Q(first_at=first_at, number__lt=segment.number)
        before = of_node.filter(older).order_by("-first_at", "-number").first()
        _save(made, before)
        # Others may have come before it; then there is less that they lack.
        if after := of_node.exclude(older).exclude(name=made.name).order_by("first_at", "number").first():
            _save(after, made)
        _add(rolled.counts)
        CallException.objects.bulk_create(rolled.exceptions, batch_size=_BATCH)
        if segment.node == FIRST:
            met = Met(progress.revision, progress.met)
            _note_revisions("node", "gateway", met, rolled, TURNS_SECONDS)
            progress.revision, progress.met = met.told, met.until
        elif after is None:
            about = f"node {segment.node}"
            met = Met(before.revision, {before.revision: before.last_at}) if before else Met("", {})
            # Canaries are on the first node; others serve one revision at a time.
            _note_revisions(about, about, met, rolled, 0)
        _prune(progress)
        progress.save()


def _save(segment: Segment, before: Segment | None) -> None:
    """Keep a segment, with how many are missing between it and the one before."""
    missing = max(0, segment.number - before.number - 1) if before else 0
    segment.missing, segment.missing_since = missing, before.last_at if before and missing else None
    segment.is_whole = not segment.damages and not missing
    segment.save()


def _add(counts: Counter[Key]) -> None:
    recent = {key: number for key, number in counts.items() if key[0] >= _oldest_count()}
    if not recent:
        return
    # Both databases know this, and it asks nothing back.
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO events_count (bucket, api, application, code, count) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (bucket, api, application, code)"
            " DO UPDATE SET count = events_count.count + excluded.count",
            [(*key, number) for key, number in sorted(recent.items())],
        )


def _oldest_count() -> int:
    return int(timezone.now().timestamp()) - COUNT_DAYS * 86_400


def _note_revisions(who: str, about: str, met: Met, rolled: Rolled, turns: int) -> None:
    """A revision that callers meet is a change of policy, whoever made it: each is told once.

    Args:
        who: The node.
        about: What it is called as an object.
        met: What callers met before; it is brought up to what they met now.
        rolled: What they met now.
        turns: For how many seconds a revision may be met by nobody before it counts as gone.
    """

    def tell(revision: str, why: str) -> None:
        before = met.told or None
        record(Actor(who, ""), "revision.served", about, before=before, after=revision, why=why)
        met.told = revision

    ends = [*(at for at, _ in rolled.revisions[1:]), rolled.last_at]
    # A segment of which nothing can be read has no revision.
    for (at, revision), end in zip(rolled.revisions, ends, strict=False):
        if not revision:
            continue
        if revision not in met.until:
            tell(revision, f"first seen at {_time(at)} in the recording")
        met.until[revision] = end
    lately = rolled.last_at - turns * 1_000_000
    if rolled.revisions and met.until.get(met.told, lately) < lately:
        gone = met.until[met.told]
        tell(rolled.revisions[-1][1], f"no call has met revision {met.told[:12]} since {_time(gone)}")
    for revision in [one for one, end in met.until.items() if end < lately]:
        del met.until[revision]


def _prune(progress: Progress) -> None:
    oldest = int(timezone.now().timestamp()) - RETENTION_DAYS * 86_400
    Count.objects.filter(bucket__lt=_oldest_count()).delete()
    Segment.objects.filter(last_at__lt=oldest * 1_000_000).delete()
    kept = CallException.objects.order_by("-at", "-request").values_list("at", flat=True)
    beyond = kept[MOST_EXCEPTIONS : MOST_EXCEPTIONS + 1].first()
    before = max(beyond or 0, oldest * 1_000_000)
    deleted, _ = CallException.objects.filter(at__lte=before).delete()
    if deleted:
        progress.pruned_before = max(progress.pruned_before, before)


def _rule(event: dict[str, Any]) -> object:
    """The rule that refused the call; those that are only tried out refuse nothing."""
    said = (one.get("found_by") for one in event.get("verdicts") or () if not one.get("shadow"))
    return next(filter(None, said), "")


def _short(value: object, most: int) -> str:
    return str(value or "").replace("\x00", "")[:most]


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).isoformat().replace("+00:00", "Z")
