"""Beginning a change, and giving it another base."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate import _engine
from lockgate.changes.change import FILE, Change
from lockgate.changes.evidence import write
from lockgate.changes.git import commit
from lockgate.changes.reading import place, refused
from lockgate.documents import check

if TYPE_CHECKING:
    from os import PathLike

CASES = ("cases.yaml", "cases", "tests")
"""Where cases are looked for, beside the base."""

_CHANGE = """\
# A change of what a gateway serves. Paths are relative to this file.
# `lockgate change schema` prints what else may stand here.
change: 1
purpose: {purpose}
author: {author}
{git}base: {base}
candidate: {candidate}
cases: {{ paths: [{cases}] }}
recording: {recording}
expect: expect.yaml
"""
_EXPECT = """\
# Which decisions this change means to make differently. What does not stand here stops it.
# newly_refused:
#   - { applications: [legacy-batch], reasons: [rate_limit.exceeded], at_most: 300 }
"""


class BeginError(ValueError):
    """A change cannot be begun like this."""


def new(
    folder: str | PathLike[str],
    *,
    base: str | PathLike[str],
    author: str,
    purpose: str = "",
    candidate: str | PathLike[str] | None = None,
    cases: str | PathLike[str] | None = None,
    recording: str | PathLike[str] | None = None,
    git: str | None = None,
) -> list[str]:
    """Begin a change: write `change.yaml` and `expect.yaml`, and copy the base when there is no candidate.

    Args:
        folder: The directory to make.
        base: The document that is served; with `git`, its path in the repository.
        author: Who proposes the change.
        purpose: Why; it can be written later.
        candidate: The document that shall be served; `NAME.next.yaml` beside the base by default.
        cases: The policy tests; by default what is called so beside the base.
        recording: The recorded traffic; where the base records it by default.
        git: Two revisions, `BASE..CANDIDATE`.

    Returns:
        What is still to be written or made, one sentence each.

    Raises:
        BeginError: There is a change already, or the base is not there.
        ProblemsError: The base has errors.
        OSError: A file cannot be written.
    """
    folder, base = Path(folder), Path(base)
    if (folder / FILE).exists():
        message = f"there is a change in {folder}; name another directory"
        raise BeginError(message)
    beside = base.parent if git is None else Path()
    if git is None:
        candidate = Path(candidate) if candidate else base.with_name(f"{base.stem}.next{base.suffix}")
        recorded = _recorded(base)
        if not candidate.exists():
            shutil.copyfile(base, candidate)
    else:
        candidate, recorded = Path(candidate or base), None
    tests = Path(cases) if cases else next((p for name in CASES if (p := beside / name).exists()), None)
    traffic = Path(recording) if recording else recorded or beside / "recordings"

    def seen(path: Path, *, tracked: bool = False) -> str:
        return _scalar(str(path) if tracked else os.path.relpath(path, folder))

    text = _CHANGE.format(
        purpose=_scalar(purpose),
        author=_scalar(author),
        git=f"git: {_scalar(git)}\n" if git else "",
        base=seen(base, tracked=git is not None),
        candidate=seen(candidate, tracked=git is not None),
        cases=seen(tests or beside / CASES[0]),
        recording=seen(traffic),
    )
    write(folder / FILE, text)
    write(folder / "expect.yaml", _EXPECT)
    left = [f"{folder / FILE}: write why, as `purpose`"] if not purpose.strip() else []
    if git is None:
        left.append(f"{candidate}: make it what shall be served")
    if tests is None:
        left.append(f"{beside / CASES[0]}: write policy tests, or name them as `cases`")
    if not traffic.exists():
        left.append(f"{traffic}: record traffic (`recording` in the document), or name a recording")
    return [*left, f"{folder / 'expect.yaml'}: say which decisions shall differ"]


def rebase(change: Change, onto: str) -> Change:
    """Give a change another base; its evidence is stale then by itself.

    Args:
        change: The change.
        onto: A document; with `git`, a revision.

    Raises:
        BeginError: The line of `change.yaml` is not one that can be replaced.
        ProblemsError: The new base has errors.
        GitError: There is no such revision.
        OSError: It cannot be written.
    """
    path = change.folder / FILE
    if change.file.git is None:
        sound = check(onto)
        if not sound.ok:
            raise refused(sound.problems)
        name, value = "base", _scalar(os.path.relpath(onto, change.folder))
    else:
        commit(change.folder, onto)
        name, value = "git", _scalar(f"{onto}..{change.file.git.split('..', 1)[1]}")
    found = place(path, name)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    line = found[0] - 1 if found else -1
    if line < 0 or not re.match(rf"{name}:[ ]", lines[line]):
        message = f"`{name}` does not stand on a line of its own in {path}; write `{name}: {value}` there"
        raise BeginError(message)
    lines[line] = f"{name}: {value}\n"
    write(path, "".join(lines))
    return Change(change.folder)


def _recorded(base: Path) -> Path | None:
    """Where a document records its traffic."""
    outline = json.loads(_engine.outline(base))
    recording = outline["document"].get("recording") or {}
    folder = recording.get("directory")
    return base.parent / folder if folder else None


def _scalar(text: str) -> str:
    """Text as YAML writes it: plain when it can be nothing else."""
    return (
        text
        if re.fullmatch(r"[A-Za-z/.][\w/.@+-]*[./@][\w/.@+-]*", text)
        else json.dumps(text, ensure_ascii=False)
    )
