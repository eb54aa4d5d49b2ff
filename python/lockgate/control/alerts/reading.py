"""Following recordings: each event once, also in the segments that nodes are still writing."""

from __future__ import annotations

import heapq
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lockgate import _engine
from lockgate.control.events.index import file_of
from lockgate.control.events.recordings import FIRST, PART, SegmentName, recordings

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_AT_ONCE: Final = 64
"""So many recordings are read beside each other: each takes a decompressor."""


@dataclass(frozen=True, order=True)
class Place:
    """How far a recording was read: so many events of a segment, and all of those before it."""

    segment: str = ""
    events: int = 0


Places = Mapping[str, Place]
"""How far the recording of each node was read."""
BEGINNING: Final = Place()
_whole: dict[str, Place] = {}
"""The end of the last segment of each node that this process has read whole."""


def names() -> dict[str, list[str]]:
    """The segments that there are of each node, oldest first, whether they are sealed or not."""
    return {one.node: [segment.name for segment in one.segments()] for one in recordings()}


def after(
    places: Places, most: int, until: Places | None = None
) -> Iterator[tuple[str, Place, dict[str, Any]]]:
    """The events behind places, about in the order of their times, each with its node and its own place.

    Args:
        places: Where the last reading ended; a node that is not named is not read.
        most: How many events at most.
        until: Where the recording of each of those nodes is not read on.
    """
    unread: list[tuple[str, list[str]]] = []
    for node, there in names().items():
        if node not in places:
            continue
        # A sealed segment was read to its end once: there is never more of it.
        is_read = places[node] == _whole.get(node)
        since = places[node].segment
        if new := [name for name in there if name > since or (name == since and not is_read)]:
            unread.append((node, new))
    # Those that wait longest are read, when there are too many.
    unread.sort(key=lambda pair: (pair[0] != FIRST, pair[1][0]))
    ends = until or {}
    streams = [_of_node(node, new, places[node], ends.get(node)) for node, new in unread[:MOST_AT_ONCE]]
    merged = heapq.merge(*streams, key=lambda one: int(one[2]["at"]))
    for _, found in zip(range(most), merged, strict=False):
        yield found


def begins(name: str) -> int:
    """When a segment begins, in microseconds."""
    return SegmentName(name).begins


def _of_node(
    node: str, there: list[str], place: Place, until: Place | None
) -> Iterator[tuple[str, Place, dict[str, Any]]]:
    for name in there:
        read = place.events if name == place.segment else 0
        number = 0
        path = file_of(SegmentName(name, node))
        is_sealed = path is not None and not path.name.endswith(PART)
        for number, text in enumerate(_texts(SegmentName(name, node)), start=1):
            found = Place(name, number)
            if until is not None and found > until:
                return
            if number > read:
                yield node, found, json.loads(text)
        if is_sealed:
            _whole[node] = Place(name, number)


def _texts(segment: SegmentName) -> Iterator[str]:
    # A segment may be sealed between one look and the next.
    for _ in range(2):
        path = file_of(segment)
        try:
            events = _engine.Events(path, "{}") if path is not None else None
        except OSError:
            continue
        if events is not None:
            yield from events
            return
