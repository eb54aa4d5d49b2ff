"""Changes that begin by themselves at a time, when nothing is missing then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from lockgate.audit import AuditError
from lockgate.control.accounts.models import User
from lockgate.control.audit.services import Actor, record
from lockgate.control.changes import drafts, gate
from lockgate.control.changes.errors import ChangeError, NotAllowedError
from lockgate.control.changes.models import Proposal

if TYPE_CHECKING:
    from datetime import datetime


def schedule(by: Actor, name: str, at: datetime | None) -> None:
    """Have a change rolled out at a time, or not any more.

    Raises:
        NotAllowedError: It is not open, or takes a permission that the one who asks does not have.
        ChangeError: The time is over, or something is missing.
    """
    if "rollouts:write" not in by.permissions:
        message = "this takes the permission rollouts:write"
        raise NotAllowedError(message)
    if at is not None:
        if at <= timezone.now():
            message = "that time is over; write a later one, or none to begin at once"
            raise ChangeError(message)
        if lacks := gate.status(drafts.read(name)).lacks:
            message = f"it cannot be scheduled: {lacks[0]}"
            raise ChangeError(message)
    with transaction.atomic():
        proposal = Proposal.objects.select_for_update().get(name=name)
        if not proposal.is_open:
            message = f"`{name}` is {proposal.get_stage_display().lower()}"
            raise NotAllowedError(message)
        before = proposal.begin_at.isoformat() if proposal.begin_at else None
        proposal.begin_at, proposal.begin_by = at, by.who if at else ""
        proposal.save()
        action = "change.scheduled" if at else "change.unscheduled"
        record(by, action, f"change {name}", before=before, after=at.isoformat() if at else None)


def begin_due() -> None:
    """Begin what is due, in the name of whoever scheduled it and with what they may do now."""
    for proposal in Proposal.objects.filter(stage__in=_OPEN, begin_at__lte=timezone.now()).order_by(
        "begin_at"
    ):
        # Whoever takes the time away begins it; another worker finds nothing.
        taken = Proposal.objects.filter(pk=proposal.pk, begin_at=proposal.begin_at).update(begin_at=None)
        if not taken:
            continue
        user = User.objects.filter(email=proposal.begin_by).first()
        by = Actor(proposal.begin_by, "", user.permissions if user else frozenset())
        try:
            gate.begin(by, proposal.name)
        except (ChangeError, AuditError) as error:
            says = f"it was scheduled and did not begin: {error}"
            Proposal.objects.filter(pk=proposal.pk).update(says=says[:2_000])


_OPEN = (Proposal.Stage.DRAFT, Proposal.Stage.ROLLED_BACK)
