"""Noticing that a document was changed, or a file that it refers to."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Seen = tuple[int, int] | None


class Watch:
    """Sees changes of the documents beside and below a file, which may include them now or later.

    Args:
        file: The document.
        without: A folder in which nothing is a document, such as the one of a control plane.
    """

    def __init__(self, file: str | os.PathLike[str], without: str | os.PathLike[str] | None = None) -> None:
        self._without = Path(without).resolve() if without is not None else None
        self._folder = Path(file).resolve().parent
        self._looked = time.time_ns()
        self._documents = self._look()
        self._others: dict[Path, Seen] = {}

    def changed(self) -> bool:
        """Whether a file was written, added or removed since the last call, or since the beginning."""
        before = (self._documents, self._others)
        self._looked = time.time_ns()
        self._documents, self._others = self._look(), {path: _look_at(path) for path in self._others}
        return (self._documents, self._others) != before

    def also(self, files: Iterable[str | os.PathLike[str]]) -> None:
        """See these files too, wherever they are: what the document of the last look refers to."""
        before, self._others = self._others, {}
        for path in {Path(file).absolute() for file in files} - self._documents.keys():
            seen = _look_at(path)
            # One that was written after the last look may have been read before: it counts as changed.
            fresh = None if seen and seen[0] >= self._looked else seen
            self._others[path] = before.get(path, fresh)

    def _look(self) -> dict[Path, Seen]:
        """Every document in the folder, with its modification time and size."""
        found: dict[Path, Seen] = {}
        for folder, folders, names in os.walk(self._folder):
            folders[:] = [one for one in folders if Path(folder, one) != self._without]
            for name in names:
                path = Path(folder, name)
                if path.suffix in {".yaml", ".yml", ".json"} and (seen := _look_at(path)):
                    found[path] = seen
        return found


def _look_at(path: Path) -> Seen:
    """Modification time and size; nothing when it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
