"""Whose recordings there are: that of the first node, and what other nodes pushed of theirs.

Nodes number their segments each for itself, so a segment is known by its node and its name.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.conf import settings

from lockgate.control.nodes.models import Node
from lockgate.control.nodes.segments import folder_of, nodes_that_pushed

if TYPE_CHECKING:
    from pathlib import Path

FIRST: Final = ""
"""What stands for the first node: it has a recording before anybody has given it a name."""
PART: Final = ".part"
"""The end of a segment's name while it is written. Of other nodes, as much is here as they pushed of it."""
_SEGMENT: Final = re.compile(r"events-(\d{16})-(\d{6,12})\.ndjson\.zst(\.part)?")
_SETTLED_NS: Final = 2_000_000_000
"""A folder that was changed just now may be changed again within one tick of its clock."""
_listed: dict[Path, tuple[int, frozenset[str]]] = {}
"""What stood in folders, and when those were changed last: most nodes push nothing between two looks."""


@dataclass(frozen=True, order=True)
class SegmentName:
    """A segment; those of all nodes are in the order in which they begin."""

    name: str
    """Of its file, sealed or not yet; it begins with the time that the segment begins at."""
    node: str = FIRST

    @property
    def key(self) -> str:
        """Both as one text: a `/` is in no name."""
        return f"{self.node}/{self.name}"

    @property
    def begins(self) -> int:
        """When it begins, in microseconds."""
        return int(self.name.split("-")[1])

    @property
    def number(self) -> int:
        """The node's number of it."""
        return int(self.name.split("-")[2].partition(".")[0])


@dataclass(frozen=True)
class Recording:
    """The recording of a node, as far as it is here."""

    node: str
    folder: Path

    def names(self) -> frozenset[str]:
        """The files of its segments."""
        try:
            changed = self.folder.stat().st_mtime_ns
            known = _listed.get(self.folder)
            if known is not None and known[0] == changed:
                return known[1]
            with os.scandir(self.folder) as entries:
                names = frozenset(one.name for one in entries if _SEGMENT.fullmatch(one.name))
        except (FileNotFoundError, NotADirectoryError):
            return frozenset()
        if time.time_ns() - changed > _SETTLED_NS:
            _listed[self.folder] = (changed, names)
        return names

    def segments(self) -> list[SegmentName]:
        """Its segments in their order, whether they are sealed or not."""
        return [
            SegmentName(name, self.node) for name in sorted({one.removesuffix(PART) for one in self.names()})
        ]


def recordings() -> list[Recording]:
    """The recordings that are here, that of the first node before those of others."""
    first: Path | None = settings.LOCKGATE.recording
    found = [] if first is None else [Recording(FIRST, first)]
    return [*found, *(Recording(node, folder_of(node)) for node in nodes_that_pushed())]


def path_of(segment: SegmentName) -> Path | None:
    """Where a sealed segment is, if it is still there; nothing when its node has no recording here."""
    if segment.node != FIRST:
        return folder_of(segment.node) / segment.name
    first: Path | None = settings.LOCKGATE.recording
    return None if first is None else first / segment.name


def name_of(node: str) -> str:
    """What people call the node of a recording."""
    if node != FIRST:
        return node
    return Node.objects.filter(is_first=True).values_list("name", flat=True).first() or "first"


def node_named(name: str) -> str:
    """The node of a recording that people call so."""
    return FIRST if name == name_of(FIRST) else name
