"""A folder that stands for the one of a document: a file of its own, and links to all that lies beside it.

A document names files relative to itself: includes, key sets, OpenAPI documents. A draft in another folder
has to find them, and must not be written beside what is served.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from lockgate.changes.evidence import write

if TYPE_CHECKING:
    from pathlib import Path


def mirror(document: Path, into: Path, *, without: Path) -> Path:
    """Copy a document into a folder, with links to what lies beside it; gives the copy.

    Args:
        document: The document.
        into: The folder, which is made anew.
        without: A folder that is left out, as the mirror stands in it.

    Raises:
        OSError: It cannot be written.
    """
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    copy = into / document.name
    write(copy, document.read_text(encoding="utf-8"))
    link_others(document, into, without=without)
    return copy


def link_others(document: Path, into: Path, *, without: Path) -> None:
    """Link what lies beside a document now; what came since the mirror was made is in it then.

    Raises:
        OSError: A link cannot be made.
    """
    source = document.resolve().parent
    _link(source, into, {source / document.name, without})


def own_place(document: Path, into: Path, path: str) -> Path:
    """Where a mirror keeps a file of its own in the place of a link, with its folders made its own as well.

    Args:
        document: The document.
        into: The mirror.
        path: The file, relative to the folder of the document.

    Raises:
        OSError: It cannot be made.
    """
    source = document.resolve().parent
    *folders, name = path.split("/")
    for folder in folders:
        source, into = source / folder, into / folder
        if into.is_symlink():
            into.unlink()
        into.mkdir(exist_ok=True)
        if source.is_dir():
            _link(source, into, {source / name})
    return into / name


def own_files(into: Path, but: str) -> list[str]:
    """The files that a mirror keeps itself, beside the document: paths relative to it."""
    found = []
    for beside in sorted(into.iterdir()):
        if beside.is_symlink() or beside.name == but or beside.name.startswith("."):
            continue
        if beside.is_dir():
            found += [f"{beside.name}/{inner}" for inner in own_files(beside, "")]
        else:
            found.append(beside.name)
    return found


def _link(source: Path, into: Path, without: set[Path]) -> None:
    for beside in sorted(source.iterdir()):
        link = into / beside.name
        if beside in without or link.is_symlink():
            continue
        if link.is_dir():
            _link(beside, link, without)
        elif not link.exists():
            link.symlink_to(beside)
