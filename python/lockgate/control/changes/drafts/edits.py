"""Writing in the directory of an open change. Every edit names who made it."""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import transaction

from lockgate import _engine
from lockgate.changes import Change
from lockgate.changes.evidence import write
from lockgate.control.audit.services import record
from lockgate.control.changes.drafts.change_file import write_change
from lockgate.control.changes.drafts.checks import bound, checked
from lockgate.control.changes.drafts.draft import EXPECT, OWN_CASES, Draft, folder, served_document
from lockgate.control.changes.errors import ChangeError, NotAllowedError, UnknownChangeError, UnsoundError
from lockgate.control.changes.mirror import mirror, own_place
from lockgate.control.changes.models import Proposal
from lockgate.control.nodes.segments import folder_of
from lockgate.control.portal.notices import withdraw as withdraw_notice
from lockgate.documents import problems_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.control.audit.services import Actor
    from lockgate.models import Check

_PATH: Final = re.compile(r"(?:[A-Za-z0-9_][\w.-]*/)*[A-Za-z0-9_][\w.-]*", re.ASCII)


def save_document(by: Actor, name: str, text: str, *, was: str) -> Check:
    """Save what shall be served. Text with errors is kept, too: it is a draft, and its check says so.

    Args:
        by: Who saves it.
        name: The change.
        text: The document, YAML or JSON.
        was: `Draft.seen` of the text that was edited.

    Raises:
        ChangeError: Somebody else saved it meanwhile, or it is too large.
    """
    clean = text.replace("\r\n", "\n")
    with _edited(by, name, "change.edited") as draft:
        if draft.proposal.source:
            message = f"this change is the commit {draft.proposal.source[:12]}; edit it in Git"
            raise NotAllowedError(message)
        if was != draft.seen:
            message = "somebody else saved this document meanwhile; look at theirs, then enter yours again"
            raise ChangeError(message)
        bound(clean)
        write(draft.candidate, clean)
        return checked(draft)


def save_own(by: Actor, name: str, file: str, text: str) -> None:
    """Save the expectation or the cases of a change.

    Raises:
        UnsoundError: The text cannot be read.
    """
    if file not in {EXPECT, OWN_CASES}:
        message = f"there is no `{file}` in a change; there are {EXPECT} and {OWN_CASES}"
        raise ChangeError(message)
    bound(text)
    with _edited(by, name, "change.edited", after=file) as draft:
        path = draft.change.folder / file
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=".typed-", suffix=".yaml", encoding="utf-8"
        ) as typed:
            typed.write(text.replace("\r\n", "\n"))
            typed.flush()
            try:
                _engine.read(typed.name)
            except _engine.ProblemsError as error:
                problems = [one.model_copy(update={"file": file}) for one in problems_of(error)]
                message = f"`{file}` cannot be read; nothing was saved"
                raise UnsoundError(message, problems) from None
        write(path, text.replace("\r\n", "\n"))
        if file == OWN_CASES:
            _name_cases(draft)


def save_file(by: Actor, name: str, path: str, text: str) -> None:
    """Put a file beside the document of a change, such as one that it includes.

    Args:
        by: Who saves it.
        name: The change.
        path: Where, relative to the folder of the document.
        text: What it says.

    Raises:
        ChangeError: The document is not there, or the path leads elsewhere.
    """
    if not _PATH.fullmatch(path):
        message = f"`{path[:80]}` is no path of a file beside the document"
        raise ChangeError(message)
    with _edited(by, name, "change.edited", after=path) as draft:
        write(own_place(served_document(), draft.candidate.parent, path), text)


def save_about(by: Actor, name: str, **said: Any) -> Draft:  # noqa: ANN401 - fields of a change file
    """Save what `change.yaml` says beside its paths: purpose, owner, measure, plan and so on.

    Raises:
        ChangeError: It cannot be as it is said.
    """
    with _edited(by, name, "change.edited", after=", ".join(sorted(said))) as draft:
        write_change(draft.change.folder, draft.change.file.model_dump(mode="json") | said)
        changed = Draft(draft.proposal, Change(draft.change.folder))
        draft.proposal.purpose = changed.change.file.purpose
        return changed


def rebase(by: Actor, name: str) -> Draft:
    """Put the document that is served now in the place of the base. The candidate stays as it is.

    Raises:
        ChangeError: The document is not there.
    """
    with _edited(by, name, "change.rebase") as draft:
        mirror(served_document(), draft.change.folder / "base", without=settings.LOCKGATE.state)
        said = draft.change.file.model_dump(mode="json")
        if said["nodes"] is None:
            # It is older than that the calls at other nodes are replayed.
            write_change(draft.change.folder, said | {"nodes": str(folder_of(""))})
        return draft


def withdraw(by: Actor, name: str, *, why: str) -> None:
    """Give a change up. Its directory stays, for those who look later.

    Raises:
        ChangeError: It is live, or being rolled out.
    """
    with transaction.atomic():
        proposal = _open(name)
        proposal.stage, proposal.says, proposal.begin_at = Proposal.Stage.WITHDRAWN, why[:2_000], None
        proposal.save()
        record(by, "change.withdrawn", f"change {name}", why=why)
        withdraw_notice(name, by)


@contextmanager
def _edited(by: Actor, name: str, action: str, after: str | None = None) -> Iterator[Draft]:
    """The directory of an open change, while somebody writes in it. Writers wait for each other."""
    with transaction.atomic():
        proposal = _open(name)
        draft = Draft(proposal, Change(folder() / name))
        before = draft.seen
        yield draft
        if by.who not in proposal.editors:
            proposal.editors = [*proposal.editors, by.who]
        proposal.save()
        text = None if draft.seen == before else f"document {draft.seen}"
        record(
            by, action, f"change {name}", before=f"document {before}" if text else None, after=text or after
        )


def _open(name: str) -> Proposal:
    proposal = Proposal.objects.select_for_update().filter(name=name).first()
    if proposal is None:
        message = f"there is no change `{name}`"
        raise UnknownChangeError(message)
    if not proposal.is_open:
        message = (
            f"`{name}` is {proposal.get_stage_display().lower()}, and stays as it is; begin another change"
        )
        raise NotAllowedError(message)
    return proposal


def _name_cases(draft: Draft) -> None:
    """Have the change's own cases run, when it has any beside those of the document."""
    said = draft.change.file.model_dump(mode="json")
    paths: list[str] = said["cases"]["paths"]
    has_some = not draft.has_no_cases
    others = [path for path in paths if path != OWN_CASES]
    said["cases"]["paths"] = [*others, OWN_CASES] if has_some or not others else others
    write_change(draft.change.folder, said)
