"""A branch of a Git repository that the worker follows: a commit that means another revision is a change."""

from __future__ import annotations

import logging
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction

from lockgate.changes.git import GitError, commit, describe, extract, is_inside
from lockgate.control.audit.services import Actor, record
from lockgate.control.changes import drafts, evidence
from lockgate.control.changes.errors import ChangeError
from lockgate.control.changes.models import Proposal
from lockgate.documents import check

if TYPE_CHECKING:
    from lockgate.control.configuration import GitSource

log = logging.getLogger(__name__)

_SEEN: Final[set[str]] = set()
"""Commits that mean what is served: nothing is to be looked at again while this process runs."""


@dataclass(frozen=True)
class Commit:
    """A commit of the branch."""

    id: str
    author: str
    subject: str

    @property
    def name(self) -> str:
        """What its change is called."""
        return f"git-{self.id[:12]}"


def follow() -> None:
    """Begin a change for the newest commit of the branch, when it means another revision than the document.

    Older ones that nobody rolled out are withdrawn: the newest commit holds what they meant.
    """
    source: GitSource | None = settings.LOCKGATE.git
    if source is None:
        return
    try:
        newest = _newest(source)
        if newest.id in _SEEN or Proposal.objects.filter(name=newest.name).exists():
            return
        _begin(source, newest)
    except (GitError, ChangeError, OSError, subprocess.SubprocessError) as error:
        log.warning("the branch `%s` of %s cannot be followed: %s", source.branch, source.repository, error)


def _newest(source: GitSource) -> Commit:
    if not is_inside(source.document):
        message = f"`{source.document}` leads out of the repository"
        raise GitError(message)
    author, subject = describe(source.repository, source.branch)
    return Commit(commit(source.repository, source.branch), author, subject)


def _begin(source: GitSource, newest: Commit) -> None:
    by = Actor(newest.author, "")
    document = drafts.served_document()
    draft = drafts.begin(by, name=newest.name, purpose=newest.subject, source=newest.id)
    try:
        tree = draft.change.folder / "tree"
        extract(source.repository, newest.id, tree)
        candidate = tree / source.document
        if not candidate.is_file():
            message = f"there is no `{source.document}` in {newest.id[:12]}"
            raise ChangeError(message)
        if check(candidate).id == check(document).id:
            _SEEN.add(newest.id)
            drafts.discard(newest.name)
            return
        drafts.save_candidate(newest.name, f"tree/{source.document}")
    except BaseException:
        drafts.discard(newest.name)
        raise
    with transaction.atomic():
        record(by, "change.git", f"change {newest.name}", after=newest.id, why=newest.subject)
    for older in Proposal.objects.exclude(source="").exclude(name=newest.name):
        if older.stage == Proposal.Stage.DRAFT:
            drafts.withdraw(by, older.name, why=f"`{newest.name}` came after it")
    evidence.ask(by, newest.name)
