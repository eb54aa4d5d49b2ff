"""Following the recording: each event once, also in the segment that is still being written."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lockgate import _engine
from lockgate.control.events.index import folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SEGMENT: Final = re.compile(r"events-\d{16}-\d{6,}\.ndjson\.zst(\.part)?")
_PART: Final = ".part"


@dataclass(frozen=True, order=True)
class Place:
    """How far the recording was read: so many events of a segment, and all of those before it."""

    segment: str = ""
    events: int = 0


def names() -> list[str]:
    """The segments that there are, oldest first, whether they are sealed or not."""
    where = folder()
    if where is None or not where.is_dir():
        return []
    found = (path.name for path in where.iterdir() if _SEGMENT.fullmatch(path.name))
    return sorted({name.removesuffix(_PART) for name in found})


def after(place: Place, most: int) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The events behind a place, each with the place behind it.

    Args:
        place: Where the last reading ended.
        most: How many events at most.
    """
    given = 0
    for name in names():
        if name < place.segment:
            continue
        read = place.events if name == place.segment else 0
        for number, text in enumerate(_texts(name)):
            if number < read:
                continue
            yield Place(name, number + 1), json.loads(text)
            given += 1
            if given == most:
                return


def begins(name: str) -> int:
    """When a segment begins, in microseconds."""
    return int(name.split("-")[1])


def _texts(name: str) -> Iterator[str]:
    where = folder()
    # A segment may be sealed between one look and the next.
    for path in _paths(where, name) * 2 if where else ():
        try:
            events = _engine.Events(path, "{}")
        except OSError:
            continue
        yield from events
        return


def _paths(where: Path, name: str) -> list[Path]:
    return [where / name, where / f"{name}{_PART}"]
