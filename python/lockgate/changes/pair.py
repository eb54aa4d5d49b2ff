"""The two documents of a change, on the disk for as long as they are looked at."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.changes.git import GitError, extract, is_inside, repository
from lockgate.documents import check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.changes.change import Change
    from lockgate.models import Check, Problem


@dataclass(frozen=True)
class Pair:
    """What is served and what shall be, with what a check says of each."""

    base: Path
    candidate: Path
    base_check: Check
    candidate_check: Check
    names: dict[str, str]
    """What stands for a temporary folder in messages."""

    @classmethod
    def of(cls, base: Path, candidate: Path, names: dict[str, str] | None = None) -> Pair:
        """Two documents, checked."""
        return cls(base, candidate, check(base), check(candidate), names or {})

    @property
    def base_id(self) -> str | None:
        """The revision of the base; nothing when it has errors."""
        return self.base_check.id

    @property
    def candidate_id(self) -> str | None:
        """The revision of the candidate; nothing when it has errors."""
        return self.candidate_check.id

    def named(self, problem: Problem) -> Problem:
        """A problem with the file as a person knows it."""
        for folder, name in self.names.items():
            if problem.file.startswith(folder):
                return problem.model_copy(update={"file": f"{name}:{problem.file[len(folder) + 1 :]}"})
        return problem


@contextmanager
def pair(change: Change) -> Iterator[Pair]:
    """The documents of a change; those of Git revisions in a folder that goes away again.

    Raises:
        GitError: A revision cannot be read.
    """
    file = change.file
    if file.git is None:
        yield Pair.of(change.path(file.base), change.path(file.candidate or file.base))
        return
    with tempfile.TemporaryDirectory(prefix="lockgate-change-") as folder:
        yield checked_out(change, Path(folder))


def checked_out(change: Change, into: Path) -> Pair:
    """The documents of Git revisions, in a folder that stays.

    Raises:
        GitError: A revision cannot be read.
    """
    source = repository(change.folder)
    names = {}
    for side, revision in zip(("base", "candidate"), str(change.file.git).split("..", 1), strict=True):
        folder = into / side
        folder.mkdir(parents=True)
        extract(source, revision, folder)
        names[str(folder)] = revision
    candidate = change.file.candidate or change.file.base
    for path in (change.file.base, candidate):
        if not is_inside(path):
            message = f"`{path}` leads out of the repository; with `git` write its path from the top"
            raise GitError(message)
    return Pair.of(into / "base" / change.file.base, into / "candidate" / candidate, names)
