"""Who learns of what happens to a change: those who may approve it, who wrote it, and whom it meets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import reverse

from lockgate.changes.evidence import assess
from lockgate.changes.pair import pair
from lockgate.changes.steps import ReplayStep
from lockgate.control.accounts.models import User
from lockgate.control.audit.services import Actor
from lockgate.control.notify.event import Event, Holders
from lockgate.control.notify.services import send
from lockgate.control.portal.notices import Upcoming, publish, take_effect, withdraw
from lockgate.replays import Replay

if TYPE_CHECKING:
    from lockgate.changes import ChangeStatus
    from lockgate.control.changes.drafts import Draft
    from lockgate.control.changes.models import Proposal
    from lockgate.replays import Group

AUTOMATION = Actor("worker", "")


def proven(draft: Draft, now: ChangeStatus) -> None:
    """Tell those who may approve a change that its evidence holds, and that it waits for them."""
    # What a feed brought may need nobody; it says so itself when it does.
    if not now.proven or now.approved or draft.proposal.is_of_feed:
        return
    tell_owners(draft, now)
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


def tell_owners(draft: Draft, now: ChangeStatus) -> None:
    """Tell the owners of APIs that nothing of it goes live without one of them."""
    for one in now.apis if now.proven else ():
        if one.by is None:
            send(
                Event(
                    kind="change.owner_wanted",
                    title=f"{draft.name} needs an owner of {one.api}"[:200],
                    text=f"{draft.proposal.author} proposes: {draft.proposal.purpose}. It touches "
                    f"{', '.join(one.routes) or 'what all its routes share'} of {one.api}, "
                    "and needs the approval of one of its owners.",
                    link=reverse("change", args=[draft.name]),
                    to=list(User.objects.filter(email__in=one.owners)),
                    data={"change": draft.name, "api": one.api, "candidate": now.candidate},
                    key=f"{draft.name}:{now.candidate}:{one.api}",
                )
            )


def approved(draft: Draft, by: Actor, now: ChangeStatus) -> None:
    """Tell those who wrote a change that somebody approved it, and applications what is coming to them."""
    lacks = f" Still missing: {now.lacks[0]}." if now.lacks else " Nothing is missing: it may be rolled out."
    send(
        Event(
            kind="change.approved",
            title=f"{by.who} approved {draft.name}",
            text=f"{draft.proposal.purpose}.{lacks}",
            link=reverse("change", args=[draft.name]),
            to=list(User.objects.filter(email__in=draft.proposal.editors)),
            data={"change": draft.name, "by": by.who},
        )
    )

    if now.ready:
        upcoming = Upcoming(draft.name, draft.proposal.purpose, effective_at=draft.proposal.begin_at)
        publish(upcoming, _refused(draft), by)


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
    (take_effect if is_live else withdraw)(proposal.name, AUTOMATION)


def _refused(draft: Draft) -> list[Group]:
    """The recorded calls that the change would decide otherwise."""
    with pair(draft.change) as documents:
        report = assess(draft.change, ReplayStep(), documents)[1]
    return report.groups if isinstance(report, Replay) else []
