"""Whether a change of a feed goes live by itself, or waits for a person, and why."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from lockgate.audit import AuditError
from lockgate.control import node
from lockgate.control.audit.services import Actor, record
from lockgate.control.changes import drafts, evidence, gate, rollouts, telling
from lockgate.control.changes.errors import ChangeError
from lockgate.control.changes.models import Proposal
from lockgate.control.feeds.models import Feed
from lockgate.control.feeds.services import agreed
from lockgate.control.notify.event import Event, Holders
from lockgate.control.notify.services import send
from lockgate.documents import check
from lockgate.replays import Replay

if TYPE_CHECKING:
    from lockgate.changes import ChangeStatus
    from lockgate.control.changes.drafts import Draft


log = logging.getLogger(__name__)


def follow() -> None:
    """One round: decide about changes of feeds whose evidence is there."""
    for feed in Feed.objects.filter(is_decided=False, is_on=True).exclude(change=""):
        job = evidence.job_of(feed.change)
        if job is None or job.is_open:
            continue
        proposal = Proposal.objects.filter(name=feed.change, stage=Proposal.Stage.DRAFT).first()
        if proposal is None:
            # A person withdrew it or rolled it out.
            Feed.objects.filter(pk=feed.pk, change=feed.change).update(is_decided=True)
            continue
        try:
            _decide(feed, drafts.read(feed.change), job.error if job.state == job.State.FAILED else "")
        except ChangeError as error:
            # Such as a node that does not run: the next round asks again.
            log.warning("the feed %s: %s", feed, error)


def _decide(feed: Feed, draft: Draft, failed: str) -> None:
    if draft.change.file.cases.paths == (drafts.OWN_CASES,) and draft.has_no_cases:
        _wait(
            feed,
            "the document has no policy tests, and nothing goes live without; "
            "write `cases.yaml` beside it, or tests of this change alone",
        )
        return
    if failed:
        _wait(feed, f"its evidence could not be gathered: {failed}")
        return
    if check(drafts.served_document()).id != check(draft.base).id:
        # Something else went live meanwhile. The next look makes a change of what is served now.
        Feed.objects.filter(pk=feed.pk).update(next_at=timezone.now(), is_decided=True)
        return
    why = why_a_person(feed, draft)
    if why is not None:
        _wait(feed, why)
        return
    running = rollouts.current()
    if node.running() is None or (running is not None and running.running):
        # It goes after what is rolled out now.
        return
    # Whoever decides it begins it; another worker finds nothing.
    mine = Feed.objects.filter(pk=feed.pk, change=feed.change, is_decided=False)
    if not mine.update(is_decided=True, waits=""):
        return
    try:
        gate.begin(Actor(feed.who, "", frozenset({"rollouts:write"})), draft.name)
    except (ChangeError, AuditError) as error:
        _wait(feed, f"its rollout could not begin: {error}")


def why_a_person(feed: Feed, draft: Draft) -> str | None:
    """Why a change of a feed waits for a person; nothing when it may go live by itself.

    Those who agreed in advance approve it with this, when all else is there.
    """
    if not feed.is_automatic:
        return "the feed is set up so that people decide about what it brings"
    others = [one for one in draft.proposal.editors if one not in {feed.who, feed.set_by}]
    if others:
        return f"{others[0]} wrote in it, so that it is not what the feed says any more"
    now, reports = gate.looked_at(draft)
    if not now.proven:
        return next(lack for lack in now.lacks if not lack.startswith("approval:"))
    report = reports.get("replay")
    judged = report.totals.judged if isinstance(report, Replay) else 0
    if judged < feed.at_least:
        return (
            f"its replay judged {judged:,} recorded calls, and the feed asks for {feed.at_least:,} "
            "before something goes live by itself"
        )
    people = agreed(feed)
    if not people:
        return "nobody but who set the feed up agreed to it in advance"
    now = _approved(feed, draft)
    return None if now.ready else now.lacks[0].removeprefix("approval: ")


def _approved(feed: Feed, draft: Draft) -> ChangeStatus:
    """The change with the approvals of those who agreed in advance."""
    why = f"in advance, to the feed {feed.name} within its bounds: at most {feed.at_most:,} calls refused"
    return gate.approve_in_advance(Actor(feed.who, ""), draft.name, agreed(feed), why=why)


@transaction.atomic
def _wait(feed: Feed, why: str) -> None:
    """Leave a change to a person, who is told why."""
    taken = Feed.objects.filter(pk=feed.pk, change=feed.change).exclude(is_decided=True, waits=why[:2_000])
    if not taken.update(is_decided=True, waits=why[:2_000]):
        return
    record(Actor(feed.who, ""), "feed.waits", f"change {feed.change}", details={"says": why})
    send(
        Event(
            kind="change.feed_waits",
            title=f"{feed.change} waits for a person",
            text=f"The feed {feed.name} brought it, and it does not go live by itself: {why}.",
            link=reverse("change", args=[feed.change]),
            to=[Holders("changes:approve")],
            data={"feed": feed.name, "change": feed.change, "why": why},
            key=f"feed:{feed.change}:{why[:100]}",
        )
    )
    draft = drafts.read(feed.change)
    telling.tell_owners(draft, gate.status(draft))
