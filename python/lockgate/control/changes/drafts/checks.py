"""What a check says of a draft, and of a text in its place."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings

from lockgate.control.changes.drafts.draft import served_document
from lockgate.control.changes.errors import ChangeError
from lockgate.control.changes.mirror import link_others
from lockgate.documents import check

if TYPE_CHECKING:
    from lockgate.control.changes.drafts.draft import Draft
    from lockgate.models import Check, Problem

MOST_CHARACTERS: Final = 900_000
"""Of a document; a form takes no more than 1 MiB."""


def checked(draft: Draft) -> Check:
    """What a check says of the candidate."""
    if not draft.proposal.source:
        link_others(served_document(), draft.candidate.parent, without=settings.LOCKGATE.state)
    found = check(draft.candidate)
    return found.model_copy(update={"problems": [named(draft, one) for one in found.problems]})


def check_text(draft: Draft, text: str) -> Check:
    """What a check says of a text in the place of the candidate. Nothing is kept.

    Raises:
        ChangeError: It is too large.
    """
    bound(text)
    with tempfile.NamedTemporaryFile(
        "w", dir=draft.candidate.parent, prefix=".typed-", suffix=draft.candidate.suffix, encoding="utf-8"
    ) as file:
        file.write(text.replace("\r\n", "\n"))
        file.flush()
        found = check(file.name)
        problems = [
            one.model_copy(update={"file": draft.candidate.name})
            if one.file == file.name
            else named(draft, one)
            for one in found.problems
        ]
    return found.model_copy(update={"problems": problems})


def bound(text: str) -> None:
    """Take no more than a form does.

    Raises:
        ChangeError: The text is longer.
    """
    if len(text) > MOST_CHARACTERS:
        message = (
            f"a document has at most {MOST_CHARACTERS:,} characters here; move parts of it into includes"
        )
        raise ChangeError(message)


def named(draft: Draft, problem: Problem) -> Problem:
    """A problem with its file as people know it."""
    inside = Path(problem.file)
    folders = (draft.candidate.parent, draft.change.folder)
    for root in (*folders, *(folder.resolve() for folder in folders)):
        if inside.is_relative_to(root):
            return problem.model_copy(update={"file": str(inside.relative_to(root))})
    return problem
