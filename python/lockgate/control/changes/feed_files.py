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
from lockgate.control.changes.includes import documents_of, included_by
from lockgate.feeds import FOLDER, is_rendered, path_of

if TYPE_CHECKING:
    from pathlib import Path

_NAMED: Final = re.compile(rf"{FOLDER}/([a-z0-9]+(?:-[a-z0-9]+)*)\.yaml")
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
    own = [path for path in documents_of(theirs) if not (_is_empty(path) or _is_of_a_feed(path))]
    if not named or (own and not any(map(_is_of_a_feed, documents_of(ours)))):
        # A folder of the repository that is called so, and that no feed writes to.
        return False
    if own:
        message = (
            f"`{FOLDER}/{own[0].name}` of the commit has policies, and feeds write to `{FOLDER}`; "
            "move it to another folder, such as `policies`"
        )
        raise ChangeError(message)
    ours.mkdir(exist_ok=True)
    paths = (*named, *(f"{FOLDER}/{path.name}" for path in documents_of(theirs)))
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


def _is_empty(path: Path) -> bool:
    try:
        return not json.loads(_engine.read(path))["value"]
    except _engine.ProblemsError:
        return False


def _is_of_a_feed(path: Path) -> bool:
    return is_rendered(path.read_text(encoding="utf-8", errors="replace"))
