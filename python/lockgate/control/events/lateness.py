"""Which calls of other nodes are not here yet: the last seconds, or what they could not push."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Max, Q
from django.utils import timezone

from lockgate.control.events.models import Segment
from lockgate.control.events.times import moment, text_of
from lockgate.control.nodes.models import Node
from lockgate.control.nodes.waves import GONE_AFTER

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

SLACK: Final = timedelta(seconds=60)
"""A node that is there has pushed by then what it recorded: it takes seconds when all is well."""
SOON: Final = timedelta(seconds=10)
"""What comes so soon is not said on pages: of the first node the last second is not here, either."""
_MOST_NAMED: Final = 3


@dataclass(frozen=True)
class Behind:
    """A node of which not everything is here."""

    node: str
    since: int
    """From when on, in microseconds."""
    until: int | None
    """When that ends; nothing when it goes on."""
    why: str
    is_late: bool
    """Whether that is longer than it takes when all is well."""


def behind(now: datetime | None = None, since: int = 0) -> list[Behind]:
    """The nodes of which not everything is here, by their names.

    Args:
        now: The time.
        since: Of nodes that were removed before this time, in microseconds, nothing is said.
    """
    now = now or timezone.now()
    there = Q(removed_at=None) | Q(removed_at__gte=moment(since / 1_000_000))
    nodes = list(Node.objects.filter(there, is_first=False).order_by("name"))
    begins = {node.name: begin for node in nodes if (begin := node.recorded.get("since")) is not None}
    here = _pushed(begins)
    found = []
    for node in nodes:
        begin = begins.get(node.name)
        # It may have pushed some of it since it said so.
        begin = max(begin, here.get(node.name, 0)) if begin is not None else None
        if (one := _of(node, begin, now)) is not None:
            found.append(one)
    return found


def lost() -> list[str]:
    """What nodes say of their disks: whose events are lost, or are not recorded at all."""
    found = []
    for node in Node.objects.filter(removed_at=None, is_first=False).order_by("name"):
        if number := node.recorded.get("lost"):
            found.append(f"the disk of {node} did not take {number:,} events since it started")
        if problem := node.recorded.get("problem"):
            found.append(f"{node} cannot record: {problem}")
    return found


def worth_saying(now: datetime | None = None, since: int = 0) -> list[Behind]:
    """The nodes of which more than the last seconds is missing, as `behind` has them."""
    now = now or timezone.now()
    return [one for one in behind(now, since) if one.is_late or one.since < _micros(now - SOON)]


def in_words(those: Iterable[Behind]) -> str:
    """What a page says that shows what happens just now; nothing when all is here."""
    rows = list(those)
    if not rows:
        return ""
    named = ", ".join(f"{one.node} since {_clock(one.since)}" for one in rows[:_MOST_NAMED])
    more = f" and {len(rows) - _MOST_NAMED} other nodes" if len(rows) > _MOST_NAMED else ""
    return f"Not here yet: calls at {named}{more}."


def _of(node: Node, begins: int | None, now: datetime) -> Behind | None:
    if node.removed_at is not None:
        return _removed(node, begins)
    if node.seen_at is None or now - node.seen_at > GONE_AFTER:
        return _gone(node, begins)
    if not node.recorded and node.revision:
        start = _last(node)
        why = f"{node} records nothing, or does not say so; its calls since {_time(start)} are not here"
        return Behind(node.name, start, None, why, is_late=True)
    return _there(node, begins, now) if begins is not None else None


def _removed(node: Node, begins: int | None) -> Behind | None:
    if begins is None or node.removed_at is None:
        return None
    why = f"{node} was removed, and had not pushed what it recorded since {_time(begins)}"
    return Behind(node.name, begins, _micros(node.removed_at), why, is_late=True)


def _gone(node: Node, begins: int | None) -> Behind:
    # Of what it is called for now nobody here knows, nor whether it is called.
    seen = _micros(node.seen_at or node.enrolled_at)
    start = seen if begins is None else min(begins, seen)
    heard = f"was last heard of at {_time(seen)}" if node.seen_at else "was never heard of"
    return Behind(
        node.name, start, None, f"{node} {heard}; what it was called for since is not here", is_late=True
    )


def _there(node: Node, begins: int, now: datetime) -> Behind:
    said: dict[str, Any] = node.recorded
    if _micros(now - SLACK) > begins:
        number = int(said.get("segments", 1))
        what = f"{number} segment{'' if number == 1 else 's'}"
        why = f"{node} is late: it has not pushed {what} with what it recorded since {_time(begins)}"
        return Behind(node.name, begins, None, why, is_late=True)
    why = f"{node} is still recording; its calls since {_time(begins)} come within seconds"
    return Behind(node.name, begins, None, why, is_late=False)


def _pushed(begins: dict[str, int]) -> dict[str, int]:
    """Until when the segments are that nodes pushed of what they had recorded since some time."""
    if not begins:
        return {}
    newer = Segment.objects.filter(node__in=begins, first_at__gte=min(begins.values()))
    return dict(newer.order_by().values_list("node").annotate(Max("last_at")))


def _last(node: Node) -> int:
    """Until when something is here of a node, since it was enrolled."""
    newest = Segment.objects.filter(node=node.name).order_by("-first_at", "-number")
    return newest.values_list("last_at", flat=True).first() or _micros(node.enrolled_at)


def _micros(time: datetime) -> int:
    return int(time.timestamp() * 1_000_000)


def _time(micros: int) -> str:
    return text_of(micros // 1_000_000)


def _clock(micros: int) -> str:
    return f"{moment(micros // 1_000_000):%H:%M:%S}"
