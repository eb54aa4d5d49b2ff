"""Segments of the recordings of other nodes, as they push them: whole, each once, and no more than fit."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings

from lockgate.changes.recordings import OLDER
from lockgate.cluster.wire import KEY, MOST_BEGINNING_BYTES, PART

if TYPE_CHECKING:
    from typing import BinaryIO

MOST_BYTES: Final = 256 << 20
"""Of one segment: four times what the recorder writes."""
KEEP_BYTES: Final = 4 << 30
"""Of one node; the oldest go first."""
MOST_SEGMENTS: Final = 10_000
"""Of one node: so many are still listed in a few milliseconds, each time that somebody looks."""
MOST_BEGINNINGS: Final = 50
"""Of one node: before older segments it is not known then what was used of limits."""
KEEP_DAYS: Final = 90
"""As long as it is known what was in them."""
KEY_BYTES: Final = 32
"""Of the key of the marks that stand for credentials: without it nobody can tell whose calls these were."""
_NAME: Final = re.compile(r"events-(\d{16})-(\d{6,12})\.ndjson\.zst")
_BEGINNING: Final = re.compile(r"begin-(\d{6,12})\.state")
"""What was used of limits when a node began to record: a replay of its calls counts on from there."""
_taken: dict[Path, list[int]] = {}
"""How many segments a folder has, and their bytes, as far as this process has counted."""


def folder_of(node: str) -> Path:
    """The folder of a node's recording, which `lockgate recording` and `lockgate replay` read."""
    return Path(settings.LOCKGATE.state, "recordings", node)


def nodes_that_pushed() -> list[str]:
    """The nodes of which something was kept, also of those that were removed."""
    folder = folder_of("")
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and entry.name[0] != ".")
    except FileNotFoundError:
        return []


def is_name(name: str) -> bool:
    """Whether a segment is called so."""
    return _NAME.fullmatch(name) is not None


def is_kept(name: str) -> bool:
    """Whether it is kept what nodes push under this name: a segment, or what a replay needs with it."""
    return name == KEY or is_name(name) or _BEGINNING.fullmatch(name) is not None


def is_there(node: str, name: str) -> bool:
    """Whether this segment was pushed before. All else counts as new: a folder made anew has another one."""
    return is_name(name) and (folder_of(node) / name).exists()


def most_bytes(name: str) -> int:
    """How much may come under a name."""
    if name == KEY:
        return KEY_BYTES
    return MOST_BYTES if is_name(name) else MOST_BEGINNING_BYTES


def append(node: str, name: str, begins: int, content: bytes) -> int:
    """Take a piece of an open segment, if it is the next one; gives how many bytes are here.

    Args:
        node: Whose it is.
        name: What the segment is called while it is open.
        begins: How many bytes come before.
        content: The piece.

    Raises:
        OSError: The disk does not take it.
    """
    folder = folder_of(node)
    path = folder / name
    if is_there(node, name.removesuffix(PART)):
        # It was sealed meanwhile, and came whole.
        return begins + len(content)
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        seal_open(folder)
    with path.open("ab") as file:
        size = file.tell()
        if size != begins:
            return size
        file.write(content)
        return begins + len(content)


class Incoming:
    """A segment that comes in.

    Args:
        node: Whose it is.
        name: What it is called.

    Raises:
        OSError: The disk does not take it.
    """

    def __init__(self, node: str, name: str) -> None:
        folder = folder_of(node)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / name
        # Two that come at once do not write to one file.
        self._beside = folder / f"{name}.{os.urandom(4).hex()}.coming"
        self._file: BinaryIO = self._beside.open("xb")

    def add(self, chunk: bytes) -> None:
        """Write a part of it."""
        self._file.write(chunk)

    def keep(self) -> None:
        """It is whole: put it in its place, and make room."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        size = self._beside.stat().st_size
        if self._path.name == KEY:
            _part_with_older(self._path, self._beside.read_bytes())
        if is_name(self._path.name):
            # Whoever reads the folder finds it open or sealed, and never both.
            part = self._path.with_name(f"{self._path.name}{PART}")
            self._beside = self._beside.replace(part)
        self._beside.replace(self._path)
        if is_name(self._path.name):
            _make_room(self._path.parent, size)
        elif self._path.name != KEY:
            _forget_beginnings(self._path.parent)

    def drop(self) -> None:
        """It did not come whole."""
        self._file.close()
        self._beside.unlink(missing_ok=True)


def forget_old() -> None:
    """A round of the worker: delete segments of a time of which nothing is known any more."""
    before = (time.time() - KEEP_DAYS * 86_400) * 1_000_000
    for node in nodes_that_pushed():
        for path in folder_of(node).iterdir():
            found = _NAME.fullmatch(path.name.removesuffix(PART))
            if found is not None and int(found[1]) < before:
                path.unlink(missing_ok=True)
        _forget_beginnings(folder_of(node))


def _make_room(folder: Path, more: int) -> None:
    """Delete the oldest segments of a node when there are too many with one that came now."""
    taken = _taken.get(folder)
    if taken is not None:
        taken[0] += 1
        taken[1] += more
        if taken[0] <= MOST_SEGMENTS and taken[1] <= KEEP_BYTES:
            return
    there = sorted((path for path in folder.iterdir() if is_name(path.name)), reverse=True)
    kept = bytes_ = 0
    for path in there:
        size = path.stat().st_size
        if kept and (kept >= MOST_SEGMENTS or bytes_ + size > KEEP_BYTES):
            path.unlink(missing_ok=True)
            continue
        kept, bytes_ = kept + 1, bytes_ + size
    _taken[folder] = [kept, bytes_]
    _forget_beginnings(folder)


def _part_with_older(path: Path, key: bytes) -> None:
    """Note which segments there are before a key that is another one: their marks are of the one before."""
    folder = path.parent
    if not path.exists() or path.read_bytes() == key:
        return
    seal_open(folder)
    newest = max((one.name for one in folder.iterdir() if is_name(one.name)), default="")
    (folder / OLDER).write_text(newest, encoding="utf-8")
    for one in folder.glob("begin-*"):
        one.unlink(missing_ok=True)


def seal_open(folder: Path) -> None:
    """Take what is here of segments for the whole of them: their node writes another now."""
    for path in list(folder.glob(f"events-*{PART}")):
        sealed = path.replace(path.with_name(path.name.removesuffix(PART)))
        _make_room(folder, sealed.stat().st_size)


def _forget_beginnings(folder: Path) -> None:
    """Delete what was used before segments that are all gone, as the recorder does, and what is too much."""
    there = [path.name for path in folder.iterdir()]
    first = min((int(found[2]) for name in there if (found := _NAME.fullmatch(name))), default=0)
    beginnings = sorted((int(found[1]), name) for name in there if (found := _BEGINNING.fullmatch(name)))
    beyond = len(beginnings) - MOST_BEGINNINGS
    for place, (number, name) in enumerate(beginnings):
        if place < beyond or number + 1 < first:
            (folder / name).unlink(missing_ok=True)
