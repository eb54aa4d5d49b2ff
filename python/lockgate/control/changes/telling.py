"""Who learns of what happens to a change: those who may approve it, and those who wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import reverse

from lockgate import changes
from lockgate.control.accounts.models import User
from lockgate.control.notify.event import Event, Holders
from lockgate.control.notify.services import send

if TYPE_CHECKING:
    from lockgate.changes import ChangeStatus
    from lockgate.control.changes.drafts import Draft
    from lockgate.control.changes.models import Proposal


def proven(draft: Draft) -> None:
    """Tell those who may approve a change that its evidence holds, and that it waits for them."""
    now = changes.status(draft.change)
    if not now.proven or now.approval.holds:
        return
    send(
        Event(
            kind="change.proven",
            title=f"{draft.name} waits for approval",
            text=f"{draft.proposal.author} proposes: {draft.proposal.purpose}. Its evidence holds.",
            link=reverse("change", args=[draft.name]),
            to=[Holders("changes:approve")],
            data={"change": draft.name, "candidate": now.candidate},
            key=f"{draft.name}:{now.candidate}",
        )
    )


def approved(draft: Draft, who: str, now: ChangeStatus) -> None:
    """Tell those who wrote a change that somebody approved it."""
    lacks = f" Still missing: {now.lacks[0]}." if now.lacks else " Nothing is missing: it may be rolled out."
    send(
        Event(
            kind="change.approved",
            title=f"{who} approved {draft.name}",
            text=f"{draft.proposal.purpose}.{lacks}",
            link=reverse("change", args=[draft.name]),
            to=list(User.objects.filter(email__in=draft.proposal.editors)),
            data={"change": draft.name, "by": who},
        )
    )


def glass_broken(proposal: Proposal, skipped: list[str]) -> None:
    """Tell everybody who sees changes that one goes out without evidence or approval."""
    without = "; ".join(skipped) or "nothing: all of it was there"
    send(
        Event(
            kind="change.break_glass",
            title=f"{proposal.began_by} broke the glass for {proposal.name}",
            text=f"{proposal.break_glass}. It is rolled out without: {without}. The guard watches it.",
            link=reverse("rollout"),
            to=[Holders("changes:read")],
            data={"change": proposal.name, "by": proposal.began_by, "skipped": skipped},
            severity="critical",
        )
    )


def ended(proposal: Proposal) -> None:
    """Tell how a rollout ended."""
    is_live = proposal.stage == proposal.Stage.LIVE
    send(
        Event(
            kind="change.live" if is_live else "change.rolled_back",
            title=f"{proposal.name} {'is live' if is_live else 'was rolled back'}",
            text=f"{proposal.purpose}: {proposal.says}.",
            link=reverse("change", args=[proposal.name]),
            to=[Holders("rollouts:write"), *User.objects.filter(email__in=proposal.editors)],
            data={"change": proposal.name, "rollout": proposal.rollout, "stage": str(proposal.stage)},
            severity="info" if is_live else "error",
        )
    )
