"""Noticing that a document was changed."""

from __future__ import annotations

import os
from pathlib import Path


class Watch:
    """Sees changes of the documents beside and below a file, which may include them now or later.

    Args:
        file: The document.
    """

    def __init__(self, file: str | os.PathLike[str]) -> None:
        self._folder = Path(file).resolve().parent
        self._seen = self._look()

    def changed(self) -> bool:
        """Whether a document was written, added or removed since the last call, or since the beginning."""
        before, self._seen = self._seen, self._look()
        return self._seen != before

    def _look(self) -> dict[Path, tuple[int, int]]:
        """Modification time and size of every document."""
        found: dict[Path, tuple[int, int]] = {}
        for folder, _, names in os.walk(self._folder):
            for name in names:
                path = Path(folder, name)
                if path.suffix in {".yaml", ".yml", ".json"}:
                    try:
                        status = path.stat()
                    except OSError:
                        continue
                    found[path] = (status.st_mtime_ns, status.st_size)
        return found
