"""What documents include: files beside them, and folders of such."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from lockgate import _engine

if TYPE_CHECKING:
    from pathlib import Path

_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})


def included_by(document: Path) -> list[str]:
    """What a document includes, as paths relative to it; nothing when it cannot be read."""
    try:
        said = json.loads(_engine.read(document))["value"]
    except _engine.ProblemsError:
        return []
    found = said.get("include") if isinstance(said, dict) else None
    return [str(one).removeprefix("./").rstrip("/") for one in found] if isinstance(found, list) else []


def includes(document: Path, path: str) -> bool:
    """Whether a document includes a file, by its name or by that of a folder that it lies in."""
    folders = {"/".join(path.split("/")[:number]) for number in range(1, path.count("/") + 1)}
    return any(one in {path, *folders} for one in included_by(document))


def documents_of(folder: Path) -> list[Path]:
    """The files of a folder that a document which includes it reads."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and path.is_file())
