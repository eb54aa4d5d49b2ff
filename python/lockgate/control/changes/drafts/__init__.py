"""Drafting changes: their directories in the state folder, and who wrote in them."""

from __future__ import annotations

from lockgate.control.changes.drafts.beginning import (
    begin,
    discard,
    save_candidate,
)
from lockgate.control.changes.drafts.checks import (
    MOST_CHARACTERS,
    check_text,
    checked,
    named,
)
from lockgate.control.changes.drafts.draft import (
    EXPECT,
    OWN_CASES,
    Draft,
    folder,
    read,
    seen,
    served_document,
)
from lockgate.control.changes.drafts.edits import (
    rebase,
    save_about,
    save_document,
    save_file,
    save_own,
    withdraw,
)

__all__ = [
    "EXPECT",
    "MOST_CHARACTERS",
    "OWN_CASES",
    "Draft",
    "begin",
    "check_text",
    "checked",
    "discard",
    "folder",
    "named",
    "read",
    "rebase",
    "save_about",
    "save_candidate",
    "save_document",
    "save_file",
    "save_own",
    "seen",
    "served_document",
    "withdraw",
]
