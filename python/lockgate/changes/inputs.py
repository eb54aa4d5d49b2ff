"""What a step looked at, as hashes: when one of them is another now, the evidence says nothing any more."""

from __future__ import annotations

import hashlib
import os
import time
from importlib.metadata import version
from typing import TYPE_CHECKING

from lockgate.models import Model
from lockgate.signing import canonical, sha256

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.changes.change import Change
    from lockgate.changes.pair import Pair

ABSENT = "absent"
"""What stands for the hash of a file that is not there."""
CASE_ENDS = (".yaml", ".yml", ".json")
SETTLED_NS = 2_000_000_000
"""A file that was written just now may be written again within one tick of its ctime."""
MOST_KNOWN = 100_000


class Segment(Model):
    """How much of a file of a recording was looked at, and what it was."""

    name: str
    """Of the file; behind the name of its node and a `/`, where it is of another one."""
    bytes: int
    sha256: str


def common(pair: Pair) -> dict[str, str]:
    """What every step depends on."""
    return {
        "candidate": pair.candidate_id or ABSENT,
        "base": pair.base_id or ABSENT,
        "lockgate": version("lockgate"),
    }


def settings(change: Change, *names: str) -> str:
    """The hash of parts of the change file."""
    said = change.file.model_dump(mode="json", include=set(names))
    return sha256(canonical(said))


def cases(change: Change) -> str:
    """The hash of all case files."""
    found = []
    for written in change.file.cases.paths:
        path = change.path(written)
        files = _case_files(path) if path.is_dir() else [path]
        found += [[written, str(file.relative_to(path)), digest(file)] for file in files]
    return sha256(canonical(found))


_known: dict[tuple[int | None, ...], str] = {}
"""Hashes of files that nobody touched since: a recording of gigabytes is not read at each look."""


def digest(path: Path, most: int | None = None) -> str:
    """The hash of a file, or of its first bytes."""
    hashed, left = hashlib.sha256(), most
    try:
        if (known := _known.get(_key(path.stat(), most))) is not None:
            return known
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            while left != 0 and (data := file.read(min(1 << 20, left or 1 << 20))):
                hashed.update(data)
                left = None if left is None else left - len(data)
    except OSError:
        return ABSENT
    if left:
        return ABSENT
    if time.time_ns() - status.st_ctime_ns > SETTLED_NS and len(_known) < MOST_KNOWN:
        _known[_key(status, most)] = hashed.hexdigest()
    return hashed.hexdigest()


def _key(status: os.stat_result, most: int | None) -> tuple[int | None, ...]:
    """Whoever writes to a file moves its ctime, and nobody can set that back."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns, most)


def _case_files(folder: Path) -> list[Path]:
    """As the test finds them: hidden files and links are left out."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_dir():
            found += _case_files(path)
        elif path.suffix in CASE_ENDS:
            found.append(path)
    return found
