"""A branch of a Git repository that the worker follows: a commit that means another revision is a change."""

from __future__ import annotations

import logging
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction

from lockgate.changes.git import GitError, commit, describe, extract, is_inside
from lockgate.control.audit.services import Actor, record
from lockgate.control.changes import drafts, evidence, feed_files
from lockgate.control.changes.errors import ChangeError
from lockgate.control.changes.models import Proposal
from lockgate.control.changes.placing import committed, place
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

    Older ones that nobody rolled out are withdrawn: the newest commit holds what they meant. Of one whose
    document includes what feeds bring, evidence is gathered again when that is another.
    """
    source: GitSource | None = settings.LOCKGATE.git
    if source is None:
        return
    try:
        newest = _newest(source)
        if newest.id in _SEEN:
            return
        known = Proposal.objects.filter(name=newest.name).first()
        if known is None:
            _take(source, newest)
        elif known.stage == Proposal.Stage.DRAFT:
            _look_again(known)
    except (GitError, ChangeError, OSError, subprocess.SubprocessError) as error:
        log.warning("the branch `%s` of %s cannot be followed: %s", source.branch, source.repository, error)


def _newest(source: GitSource) -> Commit:
    if not is_inside(source.document):
        message = f"`{source.document}` leads out of the repository"
        raise GitError(message)
    author, subject = describe(source.repository, source.branch)
    return Commit(commit(source.repository, source.branch), author, subject)


def _take(source: GitSource, newest: Commit) -> None:
    """Begin the change that a commit is; one that means what is served is what the document says then."""
    document = drafts.served_document().resolve()
    with tempfile.TemporaryDirectory(dir=settings.LOCKGATE.state, prefix=".commit-") as folder:
        tree = Path(folder, "tree")
        extract(source.repository, newest.id, tree)
        candidate = tree / source.document
        if not candidate.is_file():
            message = f"there is no `{source.document}` in {newest.id[:12]}"
            raise ChangeError(message)
        is_shared = feed_files.share(document, candidate)
        if check(candidate).id != check(document).id:
            _begin(source, newest, tree, is_shared=is_shared)
        elif not Proposal.objects.filter(stage=Proposal.Stage.ROLLING).exists():
            _say(document, candidate, newest)
            _SEEN.add(newest.id)


def _say(document: Path, candidate: Path, newest: Commit) -> None:
    """Have the document say the same in the words of a commit: comments, and what it includes."""
    text, before = candidate.read_text(encoding="utf-8"), document.read_text(encoding="utf-8")
    files = committed(candidate, document.parent)
    if text == before and not files:
        return
    done = place(document, text, files, str(check(document).id))
    if done is None:
        return
    was, becomes = (f"document {drafts.seen(one)}" for one in (before, text))
    with transaction.atomic():
        record(
            Actor(newest.author, ""),
            "document.git",
            f"commit {newest.id[:12]}",
            before=was,
            after=becomes,
            why=newest.subject,
            details={"document": f"{document.name} {done}"},
        )


def _begin(source: GitSource, newest: Commit, tree: Path, *, is_shared: bool) -> None:
    by = Actor(newest.author, "")
    draft = drafts.begin(by, name=newest.name, purpose=newest.subject, source=newest.id)
    try:
        tree.rename(draft.change.folder / "tree")
        drafts.save_candidate(newest.name, f"tree/{source.document}")
    except BaseException:
        drafts.discard(newest.name)
        raise
    with transaction.atomic():
        details = {"feeds": "as they are served"} if is_shared else None
        record(
            by, "change.git", f"change {newest.name}", after=newest.id, why=newest.subject, details=details
        )
    for older in Proposal.objects.exclude(source="").exclude(name=newest.name):
        if older.stage == Proposal.Stage.DRAFT:
            drafts.withdraw(by, older.name, why=f"`{newest.name}` came after it")
    evidence.ask(by, newest.name)


def _look_again(known: Proposal) -> None:
    """Gather evidence again when a feed went live since: it was gathered with a list that is over."""
    job = evidence.job_of(known.name)
    if job is None or job.is_open or not drafts.read(known.name).shares_feeds:
        return
    went_live = Proposal.objects.filter(
        author__startswith="feed:", stage=Proposal.Stage.LIVE, ended_at__gt=job.asked_at
    )
    if went_live.exists():
        evidence.ask(Actor(known.author, ""), known.name)
