"""What feeds wrote beside the document that is served, and commits whose document includes it.

Git says that a feed counts and where; what it says at the moment does not stand in Git. So a commit is judged
and served with the files that feeds wrote, and none is older than a list.
"""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Final

from lockgate import _engine
from lockgate.changes.evidence import write
from lockgate.control.changes.errors import ChangeError
from lockgate.feeds import FOLDER, is_rendered, path_of

if TYPE_CHECKING:
    from pathlib import Path

_NAMED: Final = re.compile(rf"{FOLDER}/([a-z0-9]+(?:-[a-z0-9]+)*)\.yaml")
_DOCUMENTS: Final = frozenset({".yaml", ".yml", ".json"})
_NOTHING_YET: Final = "# What the feed {} brings is written here by its changes.\n"


def share(document: Path, candidate: Path) -> bool:
    """Have the document of a commit find what feeds wrote; whether it includes anything of feeds.

    Args:
        document: The document that is served.
        candidate: That of the commit, among files that were taken out of Git.

    Raises:
        ChangeError: The commit has policies of its own where feeds write theirs.
        OSError: What feeds write their files over cannot be written.
    """
    named = [one for one in included_by(candidate) if one == FOLDER or one.startswith(f"{FOLDER}/")]
    ours, theirs = document.parent / FOLDER, candidate.parent / FOLDER
    own = [path for path in _documents(theirs) if not (_is_empty(path) or _is_of_a_feed(path))]
    if not named or (own and not any(map(_is_of_a_feed, _documents(ours)))):
        # A folder of the repository that is called so, and that no feed writes to.
        return False
    if own:
        message = (
            f"`{FOLDER}/{own[0].name}` of the commit has policies, and feeds write to `{FOLDER}`; "
            "move it to another folder, such as `policies`"
        )
        raise ChangeError(message)
    ours.mkdir(exist_ok=True)
    paths = (*named, *(f"{FOLDER}/{path.name}" for path in _documents(theirs)))
    for name in {found[1] for path in paths if (found := _NAMED.fullmatch(path))}:
        if not (file := document.parent / path_of(name)).exists():
            # It says nothing, so that what is served stays what it is.
            write(file, _NOTHING_YET.format(name))
    if theirs.is_dir():
        shutil.rmtree(theirs)
    theirs.symlink_to(ours)
    return True


def shares(candidate: Path) -> bool:
    """Whether the document of a commit finds what feeds wrote."""
    return (candidate.parent / FOLDER).is_symlink()


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


def _documents(folder: Path) -> list[Path]:
    """The files of a folder that a document which includes it reads."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix in _DOCUMENTS and path.is_file())


def _is_empty(path: Path) -> bool:
    try:
        return not json.loads(_engine.read(path))["value"]
    except _engine.ProblemsError:
        return False


def _is_of_a_feed(path: Path) -> bool:
    return is_rendered(path.read_text(encoding="utf-8", errors="replace"))
