"""The recordings that a change is judged by: that of the node which takes it first, and those of other nodes.

Each stays for itself: it begins with what its own node had counted of limits, and has marks of its own key.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lockgate.changes.inputs import ABSENT, Segment, digest
from lockgate.signing import canonical, sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockgate.changes.change import Change

KEY: Final = "redaction.key"
PART: Final = ".part"
"""The end of a segment's name while it is written."""
OLDER: Final = "redaction.older"
"""A file with the name of the last segment before the key: that of a machine made anew is another one."""
FIRST: Final = "first"
"""What the node of `recording` is called beside others, as a control plane calls it."""


@dataclass(frozen=True)
class Recorded:
    """The recording of a node."""

    node: str
    """Empty for the one that `recording` names."""
    path: Path
    """A folder; that of the first may be a segment."""
    files: dict[str, Path]
    """What a replay reads, by the names of the files once they are whole."""
    missing: tuple[str, ...] = ()
    """What of it is not replayed, a sentence each."""
    is_whole: bool = True
    """Whether a replay reads all that is in the folder."""

    @property
    def has_events(self) -> bool:
        """Whether there is something to replay."""
        return any(name.startswith("events-") for name in self.files)

    def named(self, name: str) -> str:
        """The name of a file beside those of other nodes."""
        return f"{self.node}/{name}" if self.node else name


def of_change(change: Change) -> list[Recorded]:
    """The recordings of a change, that of the first node before those of others."""
    path = change.path(change.file.recording)
    found = [Recorded("", path, dict(_files(path)))]
    folder = change.path(change.file.nodes) if change.file.nodes else None
    if folder is None or not folder.is_dir():
        return found
    there = sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
    return [*found, *(_of_other(one) for one in there)]


@contextmanager
def laid_out(those: Iterable[Recorded]) -> Iterator[dict[str, Path]]:
    """Where a replay finds each recording, by the names of the nodes; without what is left out of it."""
    with ExitStack() as stack:
        found: dict[str, Path] = {}
        taken = {one.node for one in those}
        for one in those:
            if not one.node:
                found[_first_beside(taken)] = one.path
            elif not one.has_events:
                continue
            elif one.is_whole:
                found[one.node] = one.path
            else:
                here = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lockgate-replay-")))
                for file in one.files.values():
                    (here / file.name).symlink_to(file.resolve())
                found[one.node] = here
        yield found


def segments(change: Change, seen: Iterable[Segment] | None = None) -> list[Segment]:
    """The files of the recordings as they are, or as much of them as was seen before.

    A recording grows while a gateway writes it, and loses its oldest segments to make room. Neither changes
    what a replay saw; what is another, or is gone while older ones are there, does.

    Args:
        change: The change.
        seen: What was seen; without it, all that there is.
    """
    those = of_change(change)
    if seen is None:
        return [
            _as_it_is(one, name, path.stat().st_size) for one in those for name, path in one.files.items()
        ]
    known: dict[str, dict[str, Segment]] = {one.node: {} for one in those}
    for segment in seen:
        node, _, name = segment.name.rpartition("/")
        known.setdefault(node, {})[name] = segment
    there = {one.node: one for one in those}
    return [again for node, of_node in known.items() for again in _again(there.get(node), of_node)]


def _again(one: Recorded | None, known: dict[str, Segment]) -> Iterator[Segment]:
    """What was seen of a node, as it is now; nothing is left of one whose folder is gone."""
    aged = _aged_out(known, one.files) if one is not None else set()
    for name, segment in known.items():
        if one is None:
            yield segment.model_copy(update={"sha256": ABSENT})
        else:
            yield segment if name in aged else _as_it_is(one, name, segment.bytes)


def digest_of(those: list[Segment]) -> str:
    """One hash for all of them."""
    return sha256(canonical([segment.model_dump() for segment in those]))


def _as_it_is(one: Recorded, name: str, size: int) -> Segment:
    path = one.files.get(name)
    return Segment(name=one.named(name), bytes=size, sha256=digest(path, size) if path else ABSENT)


def _aged_out(known: dict[str, Segment], files: dict[str, Path]) -> set[str]:
    """What was deleted to make room: the oldest that were seen, when newer ones of them are there."""
    oldest = min((name for name in known if name.startswith("events-") and name in files), default=None)
    if oldest is None:
        return set()
    gone = {name for name in known if name.startswith("events-") and name < oldest and name not in files}
    # What was counted when such a segment began goes with it.
    return gone | {name for name in known if gone and name.startswith("begin-") and name not in files}


def _of_other(folder: Path) -> Recorded:
    """The recording of another node, as far as its marks can be told."""
    node, files = folder.name, dict(_files(folder))
    key = files.get(KEY)
    if key is None:
        if any(name.startswith("events-") for name in files):
            why = f"the key of the marks of {node} is not here, so nobody can tell whose its calls were"
            return Recorded(node, folder, {}, (why,))
        return Recorded(node, folder, {})
    try:
        newest = (folder / OLDER).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return Recorded(node, folder, files)
    told = {name: path for name, path in files.items() if not ("events-" <= name <= newest)}
    older = len(files) - len(told)
    if not older:
        return Recorded(node, folder, files)
    what = "1 segment" if older == 1 else f"{older:,} segments"
    why = f"{what} of {node} came before its key did, so nobody can tell whose calls those were"
    return Recorded(node, folder, told, (why,), is_whole=False)


def _first_beside(nodes: set[str]) -> str:
    names = (FIRST, *(f"{FIRST}-{number}" for number in range(2, len(nodes) + 2)))
    return next(name for name in names if name not in nodes)


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    """The files that a replay reads, by their names once they are whole."""
    if not path.is_dir():
        if path.exists():
            yield path.name.removesuffix(PART), path
        path = path.parent / KEY
        if path.exists():
            yield KEY, path
        return
    with os.scandir(path) as entries:
        names = sorted(one.name for one in entries if _is_read(one.name) and one.is_file())
    for name in names:
        yield name.removesuffix(PART), path / name


def _is_read(name: str) -> bool:
    is_of_recording = name == KEY or name.startswith(("events-", "begin-"))
    # What is still coming from a node, and what a recorder has not put in its place yet.
    return is_of_recording and not name.endswith((".coming", ".new"))
