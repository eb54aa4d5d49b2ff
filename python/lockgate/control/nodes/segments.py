"""Segments of the recordings of other nodes, as they push them: whole, each once, and no more than fit."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings

if TYPE_CHECKING:
    from typing import BinaryIO

MOST_BYTES: Final = 256 << 20
"""Of one segment: four times what the recorder writes."""
KEEP_BYTES: Final = 4 << 30
"""Of one node; the oldest go first."""
_NAME: Final = re.compile(r"events-\d{16}-\d{6,12}\.ndjson\.zst")


def folder_of(node: str) -> Path:
    """The folder of a node's recording, which `lockgate recording` and `lockgate replay` read."""
    return Path(settings.LOCKGATE.state, "recordings", node)


def is_name(name: str) -> bool:
    """Whether a segment is called so."""
    return _NAME.fullmatch(name) is not None


def is_there(node: str, name: str) -> bool:
    """Whether it was pushed before."""
    return (folder_of(node) / name).exists()


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
        self._beside.replace(self._path)
        _make_room(self._path.parent)

    def drop(self) -> None:
        """It did not come whole."""
        self._file.close()
        self._beside.unlink(missing_ok=True)


def _make_room(folder: Path) -> None:
    there = sorted((path for path in folder.iterdir() if is_name(path.name)), reverse=True)
    taken = 0
    for path in there:
        taken += path.stat().st_size
        if taken > KEEP_BYTES and path != there[0]:
            path.unlink(missing_ok=True)
