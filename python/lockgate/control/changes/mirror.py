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
    for beside in sorted(source.iterdir()):
        link = into / beside.name
        if beside.name != document.name and beside != without and not link.is_symlink():
            link.symlink_to(beside)
