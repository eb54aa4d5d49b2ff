"""The gate, for people who are signed in: what is missing, who may approve, and letting through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from lockgate import _engine, changes
from lockgate.admin import AdminClient, AdminError
from lockgate.audit import AuditError
from lockgate.audit.identity import same
from lockgate.control import node
from lockgate.control.audit.services import Actor
from lockgate.control.changes import drafts, telling
from lockgate.control.changes.errors import ChangeError, NotAllowedError, UnsoundError
from lockgate.control.changes.log import DatabaseLog
from lockgate.control.changes.models import Proposal
from lockgate.control.owners.people import approvers
from lockgate.documents import problems_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.changes import ChangeStatus
    from lockgate.control.accounts.models import User
    from lockgate.control.changes.drafts import Draft
    from lockgate.models import Model

BEGIN_SECONDS = 60.0
"""A candidate is compiled and tried before its rollout begins."""


def status(draft: Draft) -> ChangeStatus:
    """What a change has and what it lacks.

    Raises:
        ChangeError: A file of it cannot be read.
    """
    return looked_at(draft)[0]


def looked_at(draft: Draft) -> tuple[ChangeStatus, dict[str, Model]]:
    """The same with the reports that are of the change as it is now, by step.

    Raises:
        ChangeError: A file of it cannot be read.
    """
    try:
        return changes.looked_at(draft.change, owners=owners_for(draft), wrote=draft.proposal.editors)
    except (_engine.ProblemsError, ValueError, OSError) as error:
        message = f"the change cannot be judged: {error}"
        raise ChangeError(message) from error


def owners_for(draft: Draft) -> dict[str, list[str]]:
    """By API that has owners, those who may approve this change, of which they wrote nothing."""
    return approvers([draft.change.file.author, *draft.proposal.editors])


def why_not_approve(draft: Draft, by: Actor) -> str | None:
    """Why somebody may not approve a change; nothing when they may."""
    if "changes:approve" not in by.permissions:
        return "your role does not approve changes"
    if any(same(by.who, one) for one in (draft.change.file.author, *draft.proposal.editors)):
        return "you wrote a part of this change, and authors do not approve; ask somebody else"
    return None


def approve(by: Actor, name: str, *, why: str = "") -> ChangeStatus:
    """Approve a change whose evidence holds, as another person than those who wrote it.

    Raises:
        NotAllowedError: The one who asks wrote a part of it, or may not approve.
        ChangeError: Evidence does not hold.
    """
    with transaction.atomic():
        # Whoever edits it meanwhile waits, and takes the approval away by what they write.
        draft = _locked(name)
        refused = why_not_approve(draft, by)
        if refused is None:
            try:
                changes.approve(draft.change, log=DatabaseLog(by), who=by.who, why=why.strip() or None)
            except changes.NotApprovedError as error:
                refused = str(error)
            else:
                now = status(draft)
                telling.approved(draft, by, now)
                return now
    DatabaseLog(by).append(who=by.who, action="change.approve.refused", about=name, details={"says": refused})
    raise NotAllowedError(refused)


def approve_in_advance(by: Actor, name: str, people: Iterable[User], *, why: str) -> ChangeStatus:
    """Approve a change in the name of people who agreed before it was made to all of its sort.

    Args:
        by: What they agreed to; the audit log names it.
        name: The change.
        people: Those who agreed. Whoever wrote a part of it, or may approve nothing any more, is left out.
        why: What they agreed to.

    Raises:
        NotAllowedError: The change is not open, or its evidence does not hold.
    """
    with transaction.atomic():
        draft = _locked(name)
        for user in people:
            if why_not_approve(draft, Actor(user.email, "", user.permissions)) is None:
                said = f"{user.email}, {why}"
                try:
                    changes.approve(draft.change, log=DatabaseLog(by), who=user.email, why=said)
                except changes.NotApprovedError as error:
                    raise NotAllowedError(str(error)) from None
        now = status(draft)
        if now.ready:
            telling.approved(draft, by, now)
    return now


def begin(by: Actor, name: str, *, break_glass: str | None = None) -> Proposal:
    """Begin the rollout of a change.

    Args:
        by: Who begins it.
        name: The change.
        break_glass: The reason to go without evidence and approval.

    Raises:
        NotAllowedError: It takes a permission that the one who asks does not have.
        UnsoundError: The candidate has errors.
        ChangeError: Something is missing, or the node does not answer.
    """
    needed = "rollouts:write" if break_glass is None else "changes:break_glass"
    if needed not in by.permissions:
        message = f"this takes the permission {needed}"
        raise NotAllowedError(message)
    draft = drafts.read(name)
    if not draft.proposal.is_open:
        message = f"`{name}` is {draft.proposal.get_stage_display().lower()}; begin another change"
        raise NotAllowedError(message)
    known = node.running()
    if known is None:
        message = "no node runs, so there is nobody to roll it out to"
        raise ChangeError(message)
    try:
        began = changes.begin(
            draft.change,
            log=DatabaseLog(by),
            who=by.who,
            admin=AdminClient(known.admin, BEGIN_SECONDS),
            owners=owners_for(draft),
            wrote=draft.proposal.editors,
            break_glass=break_glass,
        )
    except changes.GateError as error:
        if error.problems:
            raise UnsoundError(str(error), error.problems) from None
        raise ChangeError(str(error)) from None
    except _engine.ProblemsError as error:
        message = "the candidate has errors"
        raise UnsoundError(message, problems_of(error)) from None
    except (AdminError, AuditError, OSError, ValueError) as error:
        raise ChangeError(str(error)) from error
    proposal = draft.proposal
    proposal.stage, proposal.says, proposal.begin_at = Proposal.Stage.ROLLING, "", None
    proposal.began_at, proposal.began_by, proposal.ended_at = timezone.now(), by.who, None
    proposal.break_glass = break_glass or ""
    proposal.rollout = began.rollout.id
    proposal.base, proposal.candidate = began.rollout.base, began.rollout.candidate
    with transaction.atomic():
        proposal.save()
        if break_glass is not None:
            telling.glass_broken(proposal, began.skipped)
    return proposal


def _locked(name: str) -> Draft:
    proposal = Proposal.objects.select_for_update().filter(name=name).first()
    draft = drafts.read(name)
    if proposal is None or not proposal.is_open:
        message = f"`{name}` is {draft.proposal.get_stage_display().lower()}; there is nothing to approve"
        raise NotAllowedError(message)
    return draft
