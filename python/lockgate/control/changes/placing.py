"""Having the document that is served, and what it names, say what is live."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from django.conf import settings

from lockgate import _engine
from lockgate.changes.evidence import write
from lockgate.changes.git import is_inside
from lockgate.control.changes.includes import documents_of, included_by
from lockgate.documents import check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def place(document: Path, text: str, files: Mapping[str, str | None], revision: str) -> str | None:
    """Write a document and files beside it, when they mean a revision then; else all of it stays as it was.

    Args:
        document: The document that is served.
        text: What it is to say.
        files: The same of files, by their paths relative to its folder; nothing for one that is to go.
        revision: The id of the revision.

    Returns:
        What was done; nothing when it would mean something else.

    Raises:
        OSError: It cannot be written.
    """
    state = settings.LOCKGATE.state.resolve()
    if any((document.parent / path).resolve().is_relative_to(state) for path in files):
        # The state folder may stand beside the document, and is nobody's to write to.
        return None
    before, mode = document.read_text(encoding="utf-8"), document.stat().st_mode
    # Files come first: a node that looks meanwhile finds all that the document names.
    replaced = {path: _replace(document.parent / path, said) for path, said in files.items()}
    if text != before:
        write(document, text)
    is_meant = check(document).id == revision
    if not is_meant:
        write(document, before)
        for path, said in replaced.items():
            _replace(document.parent / path, said)
    document.chmod(mode)
    if not is_meant:
        return None
    done = ["was replaced by the candidate" if text != before else "stays as it is"]
    done += [f"{path} was {'removed' if said is None else 'replaced'}" for path, said in files.items()]
    return "; ".join(done)


def committed(candidate: Path, beside: Path) -> dict[str, str | None]:
    """The files that a commit's document is made of and that are others elsewhere; nothing for one that goes.

    Args:
        candidate: The document, among files that were taken out of Git.
        beside: The folder of the document that is served.
    """
    found: dict[str, str | None] = {}
    for path in sorted({*_included(candidate), *_named(candidate)}):
        text = _text(candidate.parent / path) if _is_of_git(candidate.parent, path) else None
        if text is not None and text != _text(beside / path):
            found[path] = text
    for folder in included_by(candidate):
        # What such a folder has beside is included as well.
        if _is_of_git(candidate.parent, folder):
            for extra in documents_of(beside / folder):
                if not (candidate.parent / folder / extra.name).exists():
                    found[f"{folder}/{extra.name}"] = None
    return found


def _included(candidate: Path) -> Iterator[str]:
    for one in included_by(candidate):
        path = candidate.parent / one
        yield from (f"{one}/{inner.name}" for inner in documents_of(path)) if path.is_dir() else (one,)


def _named(candidate: Path) -> list[str]:
    """The files that policies are made from, such as key sets and OpenAPI documents."""
    try:
        files: list[str] = json.loads(_engine.build_bundle(candidate, 1, None, None))["files"]
    except _engine.ProblemsError:
        return []
    return files


def _text(path: Path) -> str | None:
    """What a file says; nothing when it is none, or no text."""
    try:
        return path.read_text(encoding="utf-8") if path.is_file() else None
    except UnicodeDecodeError:
        return None


def _is_of_git(folder: Path, path: str) -> bool:
    """Whether a path leads neither out of a folder nor over a link: what lies behind it is of feeds."""
    return is_inside(path) and (folder / path).resolve() == folder.resolve() / path


def _replace(path: Path, text: str | None) -> str | None:
    """Have a file say something, or not be there; gives what it said before."""
    before = path.read_text(encoding="utf-8") if path.exists() else None
    if text is None:
        path.unlink(missing_ok=True)
    else:
        write(path, text)
    return before
