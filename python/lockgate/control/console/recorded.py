"""What was recorded, node by node, and what is missing of it: replay and analytics know no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count, Max, Min, Q, Sum
from django.utils import timezone

from lockgate.control import node
from lockgate.control.analytics import tail
from lockgate.control.events import index
from lockgate.control.events.completeness import gaps
from lockgate.control.events.models import Segment
from lockgate.control.events.recordings import name_of, recordings
from lockgate.control.events.times import last, moment

if TYPE_CHECKING:
    from datetime import datetime

    from lockgate.control.events.recordings import Recording

DAYS: Final = 7
MOST_GAPS: Final = 100


@dataclass(frozen=True)
class Recorded:
    """The recording of a node."""

    node: str
    calls: int
    since: datetime | None
    until: datetime | None
    segments: int
    """Which were read here."""
    damaged: int
    """In how many of them something is missing."""
    files: int
    """How many of them a replay can still read."""
    megabytes: float


def by_node() -> list[Recorded]:
    """What there is of each node; nothing when nothing is recorded."""
    rows: dict[str, dict[str, Any]] = {
        row["node"]: dict(row)
        for row in Segment.objects.values("node")
        .annotate(
            calls=Sum("events"),
            since=Min("first_at"),
            until=Max("last_at"),
            segments=Count("pk"),
            damaged=Count("pk", filter=Q(is_whole=False)),
        )
        .order_by("node")
    }
    return [_recorded(one, rows.get(one.node, {})) for one in recordings()]


def missing() -> list[dict[str, str]]:
    """What is not known of the last days, and why."""
    index.index_new()
    span = last(f"last_{DAYS}_days", timezone.now())
    return gaps(span, tail.seen(), 0, node.stats())[:MOST_GAPS]


def _recorded(one: Recording, row: dict[str, Any]) -> Recorded:
    sizes = [size for name in one.names() if (size := _size(one, name)) is not None]
    return Recorded(
        name_of(one.node),
        row.get("calls", 0),
        moment(row["since"] / 1_000_000) if row else None,
        moment(row["until"] / 1_000_000) if row else None,
        row.get("segments", 0),
        row.get("damaged", 0),
        len(sizes),
        sum(sizes) / 1_000_000,
    )


def _size(one: Recording, name: str) -> int | None:
    try:
        return (one.folder / name).stat().st_size
    except OSError:
        # It was deleted, or sealed, just now.
        return None
