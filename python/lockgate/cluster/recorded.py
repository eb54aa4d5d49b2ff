"""The recording of a node as far as it is to be pushed: sealed segments, and what stands in the open one."""

from __future__ import annotations

import hashlib
import math
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lockgate import kept
from lockgate.cluster.identity import write
from lockgate.cluster.wire import KEY, MOST_BEGINNING_BYTES, MOST_PIECE_BYTES, PART, Recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PUSHED: Final = "pushed"
"""The file with the names of what was pushed, in the folder of the identity."""
WRITTEN_SECONDS: Final = 1.5
"""So long after it happened a call stands in the open segment, unless its disk does not take it."""
QUIET_SECONDS: Final = 10.0
"""How often it is said of an open segment that nothing came to it."""
_BEGINNING: Final = "begin-*.state"
"""What was used of limits when it began to record, which a replay of its calls counts on from."""
_SEGMENT: Final = re.compile(r"events-(\d{16})-\d{6,12}\.ndjson\.zst(\.part)?")
_PIECE: Final = re.compile(r"(\d+)(ms|s|m|h|d)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


@dataclass(frozen=True)
class Piece:
    """What is new in the open segment."""

    path: Path
    begins: int
    """How many bytes come before it."""
    content: bytes
    since: int
    """All that was recorded before this time, in microseconds, is at the control plane with this."""


@dataclass(frozen=True)
class _Open:
    """How much of an open segment the control plane has."""

    name: str
    bytes: int
    since: int
    told: float
    """When it was told last, by the monotonic clock."""


class OwnRecording:
    """The recording of a node.

    Args:
        folder: Its state folder.
        serves: Says which generation serves.
    """

    def __init__(self, folder: Path, serves: Callable[[], int | None]) -> None:
        self._folder, self._serves = folder, serves
        self._said: tuple[int | None, tuple[Path | None, float]] = (None, (None, 0.0))
        self._there: tuple[Path | None, int, frozenset[str]] = (None, 0, frozenset())
        self._open: _Open | None = None
        self._known: frozenset[str] | None = None
        self._marks: dict[tuple[Path, int, int], str] = {}

    def unpushed(self) -> Iterator[Path]:
        """What is sealed and was not pushed yet, oldest first; before it what replays of it need."""
        folder, _ = self._where()
        if folder is None:
            return
        names, pushed = self._names(folder), self._pushed()
        if names:
            yield from (path for path in _beside(folder) if self._mark_of(path) not in pushed)
        sealed = sorted(name for name in names - pushed if not name.endswith(PART))
        yield from (folder / name for name in sealed)

    def pushed(self, path: Path) -> None:
        """Note that the control plane has it; what the recording has deleted is forgotten."""
        there = self._names(path.parent) | {self._mark_of(one) for one in _beside(path.parent)}
        names = self._pushed() & there | {self._mark_of(path)}
        write(self._folder / "cluster" / PUSHED, "\n".join(sorted(names)).encode())
        self._known = names

    def piece(self) -> Piece | None:
        """What is new in the open segment, when all before it was pushed; now and then, that nothing is."""
        folder, _ = self._where()
        names = self._names(folder) - self._pushed() if folder else frozenset()
        # A piece of a segment says that those before it came whole, or never will.
        name = min(names, default="")
        if folder is None or not name.endswith(PART):
            return None
        known = self._open
        if known is None or known.name != name:
            known = _Open(name, 0, _begins(name), 0.0)
        # What happened until then is in the file when it is read now.
        now = int((time.time() - WRITTEN_SECONDS) * 1_000_000)
        try:
            with (folder / name).open("rb") as file:
                file.seek(known.bytes)
                content = file.read(MOST_PIECE_BYTES + 1)
        except FileNotFoundError:
            # It was sealed in this moment.
            return None
        if not content and time.monotonic() - known.told < QUIET_SECONDS:
            return None
        is_all = len(content) <= MOST_PIECE_BYTES
        since = max(known.since, now) if is_all else known.since
        return Piece(folder / name, known.bytes, content[:MOST_PIECE_BYTES], since)

    def took(self, piece: Piece, bytes_: int) -> None:
        """Note how much of the open segment the control plane has."""
        is_taken = bytes_ == piece.begins + len(piece.content)
        name = piece.path.name
        since = piece.since if is_taken else _begins(name)
        self._open = _Open(name, bytes_, since, time.monotonic())

    def since(self, without: Path | None = None) -> int | None:
        """From when on something is not at the control plane, in microseconds; nothing when all is."""
        folder, _ = self._where()
        if folder is None:
            return None
        names = self._names(folder) - self._pushed() - ({without.name} if without else set())
        return min((self._here_until(name) for name in names), default=None)

    def told(self, stats: dict[str, Any]) -> Recorded | None:
        """What it has recorded and not pushed yet; nothing when it records nothing."""
        folder, every = self._where()
        if folder is None:
            return None
        said = stats.get("recording") or {}
        events = said.get("events") or {}
        return Recorded(
            since=self.since(),
            segments=len(self._names(folder) - self._pushed()),
            every_seconds=every,
            lost=int(events.get("dropped", 0)) + int(events.get("failed", 0)),
            problem=str(said.get("problem") or "")[:500],
        )

    def _here_until(self, name: str) -> int:
        known = self._open
        # It may be sealed by now, and wait to be pushed whole.
        is_known = known is not None and known.name.removesuffix(PART) == name.removesuffix(PART)
        return known.since if known is not None and is_known else _begins(name)

    def _where(self) -> tuple[Path | None, float]:
        """The folder of the recording, as what serves names it, and how long a segment stays open."""
        current = self._serves()
        if current is None:
            return None, 0.0
        if current != self._said[0]:
            try:
                said = kept.document(self._folder, current).get("recording") or {}
            except kept.KeptError:
                return None, 0.0
            named, every = said.get("directory"), _PIECE.findall(str(said.get("rotate_every", "10s")))
            seconds = sum(int(number) * _SECONDS[unit] for number, unit in every)
            self._said = (current, (self._folder / named if named else None, seconds))
        return self._said[1]

    def _names(self, folder: Path) -> frozenset[str]:
        """The segments that there are; a folder that was not changed is not listed again."""
        try:
            changed = folder.stat().st_mtime_ns
            # One that was changed just now may be changed again within one tick of its clock.
            if self._there[:2] == (folder, changed) and time.time_ns() - changed > 2_000_000_000:
                return self._there[2]
            names = frozenset(one.name for one in folder.iterdir() if _SEGMENT.fullmatch(one.name))
        except FileNotFoundError:
            return frozenset()
        self._there = (folder, changed, names)
        return names

    def _pushed(self) -> frozenset[str]:
        if self._known is None:
            try:
                self._known = frozenset((self._folder / "cluster" / PUSHED).read_text().split())
            except FileNotFoundError:
                self._known = frozenset()
        return self._known

    def _mark_of(self, path: Path) -> str:
        """What says that this was pushed. Only segments are never written anew under one name."""
        if _SEGMENT.fullmatch(path.name):
            return path.name
        status = path.stat()
        # Whoever writes it anew puts another file in its place.
        key = (path, status.st_ino, status.st_mtime_ns)
        if key not in self._marks:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            self._marks = {one: mark for one, mark in self._marks.items() if one[0] != path}
            self._marks[key] = f"{path.name}:{digest}"
        return self._marks[key]


def _begins(name: str) -> int:
    return int(name.split("-")[1])


def _beside(folder: Path) -> list[Path]:
    """What goes before segments: the key of their marks, and what was used when it began to record."""
    key = folder / KEY
    beginnings = (path for path in sorted(folder.glob(_BEGINNING)) if _size(path) <= MOST_BEGINNING_BYTES)
    return [*([key] if key.exists() else []), *beginnings]


def _size(path: Path) -> float:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        # The recorder has forgotten it in this moment.
        return math.inf
