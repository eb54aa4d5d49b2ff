"""Whose turn it is to take a publication, and whether those who had theirs are well.

Nothing reaches a second node before the first one has served it for a while without harm, and nothing reaches
all before some have (F8). A node that refuses it stops it; one that does badly with it has it withdrawn.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from lockgate.cluster.wire import Counts
from lockgate.control.audit.services import record
from lockgate.control.changes.telling import AUTOMATION
from lockgate.control.nodes import directories
from lockgate.control.nodes.models import Node, Publication, Turn

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from lockgate.control.configuration import Pace

GONE_AFTER: Final = timedelta(seconds=90)
"""A node that was not heard of for so long is not waited for; it takes what is there when it comes back."""
PATIENCE: Final = timedelta(seconds=300)
"""So long a node that is there may take to serve what it was given."""
FEWEST_BAD: Final = 20
"""Fewer bad answers than this prove nothing."""
TIMES_AS_BAD: Final = 5.0
"""How many times as large the share of bad answers must be, as the guard of rollouts has it."""
TOLERABLE: Final = 0.05
"""A share of bad answers that is no harm, however few there were before."""
REFUSED_BY_RIGHT: Final = 0.5
"""A share of refusals that is no harm where too few calls came before to compare with."""
_BAD: Final = {"failed": "answers of 5xx and failures", "refused": "refusals"}


def advance(publication: Publication, pace: Pace, now: datetime | None = None) -> None:
    """Look at those who had their turn, and give the next ones theirs."""
    now = now or timezone.now()
    with transaction.atomic():
        held = Publication.objects.select_for_update().get(pk=publication.pk)
        if held.state != Publication.State.ROLLING:
            return
        turns = list(held.turns.select_related("node").filter(node__removed_at=None))
        for turn in turns:
            _look(turn, held, pace, now)
        if harmed := next((said for turn in turns if (said := harm(turn, held))), None):
            _withdraw(held, harmed)
        elif refused := next((said for turn in turns if (said := _refusal(turn, held))), None):
            end(held, Publication.State.STOPPED, refused)
        elif late := next((turn for turn in turns if _is_late(turn, now)), None):
            why = f"{late.node} has not taken it in {PATIENCE.seconds // 60} minutes"
            end(held, Publication.State.STOPPED, why)
        elif all(turn.healthy_at is not None or is_gone(turn.node, now) for turn in turns):
            _next(held, turns, pace, now)


def end(publication: Publication, state: Publication.State, why: str = "") -> None:
    """End a publication, and write down how; within a transaction."""
    publication.state, publication.why, publication.ended_at = state, why[:2_000], timezone.now()
    publication.save(update_fields=["state", "why", "ended_at"])
    if state != Publication.State.OVERTAKEN:
        about = f"{publication.kind} {publication.number}"
        record(AUTOMATION, f"nodes.{state}", about, after=publication.content[:12], why=why)


def next_number(kind: str) -> int:
    """A number that no node has seen, even when this database is an older copy."""
    last = Publication.objects.filter(kind=kind).aggregate(last=Max("number"))["last"] or 0
    of_nodes = "generation" if kind == Publication.Kind.REVISION else "directory"
    others = Node.objects.filter(is_first=False)
    seen = others.aggregate(seen=Max(of_nodes))["seen"] or 0
    return int(max(last, seen)) + 1


def standing(node: Node) -> dict[str, Any]:
    """The counts of a node now, and which process they are of."""
    return {"started": node.started, **Counts.model_validate(node.counts).model_dump()}


def harm(turn: Turn, publication: Publication) -> str | None:
    """Whether a node does badly since it took something, and how, in a sentence."""
    if turn.took_at is None:
        return None
    if publication.kind == Publication.Kind.DIRECTORY:
        # Strangers can be refused as often as they like: they would hold back everybody's new keys.
        return directories.harm(turn)
    # What it answered between taking it and saying so is no measure of what it did before.
    before = Counts.model_validate(turn.at_taking.get("before") or turn.at_taking)
    # Another process has counted from the beginning.
    is_same = turn.at_taking.get("started") == turn.node.started
    since = _minus(turn.node.counts, turn.at_taking if is_same else {})
    for name, what in _BAD.items():
        bad, had = getattr(since, name), getattr(before, name)
        share = bad / since.requests if since.requests else 0.0
        was = had / before.requests if before.requests else 0.0
        most = max(TIMES_AS_BAD * was, was + TOLERABLE)
        if name == "refused" and before.requests < FEWEST_BAD:
            # Nobody knows how many are refused there by right: callers make mistakes.
            most = max(most, REFUSED_BY_RIGHT)
        if bad >= FEWEST_BAD and share > most:
            return (
                f"{turn.node} has had {bad:,} {what} in {since.requests:,} calls since it took it "
                f"({share:.0%}; {was:.0%} before)"
            )
    return None


def _withdraw(publication: Publication, why: str) -> None:
    end(publication, Publication.State.WITHDRAWN, why)
    if publication.kind == Publication.Kind.REVISION:
        # Nodes keep the generation before, and go back to it.
        return
    done = Publication.objects.filter(kind=publication.kind, state=Publication.State.DONE)
    before = done.exclude(payload="").order_by("-number").first()
    if before is not None:
        # Sequences of directories only grow: the one before comes again under a new number.
        Publication.objects.create(
            kind=before.kind,
            number=next_number(before.kind),
            content=before.content,
            payload=before.payload,
            restores=True,
            state=Publication.State.DONE,
            ended_at=timezone.now(),
        )


def _minus(counts: dict[str, int], less: dict[str, Any]) -> Counts:
    return Counts(**{name: max(0, counts.get(name, 0) - less.get(name, 0)) for name in Counts.model_fields})


def _look(turn: Turn, publication: Publication, pace: Pace, now: datetime) -> None:
    """Note that a node took it, and that it is well."""
    if turn.took_at is None and _has(turn.node, publication):
        turn.took_at, turn.at_taking = now, {**standing(turn.node), "before": turn.at_taking}
        turn.save(update_fields=["took_at", "at_taking"])
    if turn.took_at is None or turn.healthy_at is not None or harm(turn, publication):
        return
    since = turn.took_at + _trial(publication, pace)
    seen = turn.node.seen_at
    # Only what it said after that time tells how it went.
    if _has(turn.node, publication) and seen is not None and seen >= since:
        turn.healthy_at = now
        turn.save(update_fields=["healthy_at"])


def _trial(publication: Publication, pace: Pace) -> timedelta:
    is_revision = publication.kind == Publication.Kind.REVISION
    return timedelta(seconds=pace.seconds if is_revision else pace.directory_seconds)


def _has(node: Node, publication: Publication) -> bool:
    if publication.kind == Publication.Kind.REVISION:
        return node.generation == publication.number
    return node.is_first or node.directory == publication.number


def _refusal(turn: Turn, publication: Publication) -> str | None:
    for refused in turn.node.refused:
        if (refused["what"], refused["number"]) == (publication.kind, publication.number):
            return f"{turn.node} does not take it ({refused['reason']}): {refused['message']}"
    return None


def _is_late(turn: Turn, now: datetime) -> bool:
    is_waited_for = turn.took_at is None and not is_gone(turn.node, now)
    return is_waited_for and now - turn.given_at > PATIENCE


def is_gone(node: Node, now: datetime) -> bool:
    """Whether a node was not heard of for so long that nobody waits for it."""
    return node.seen_at is None or now - node.seen_at > GONE_AFTER


def _next(publication: Publication, turns: Iterable[Turn], pace: Pace, now: datetime) -> None:
    """Give the next ones their turn; without any, it is everywhere."""
    had = {turn.node_id for turn in turns}
    nodes = list(Node.objects.filter(removed_at=None, is_first=False).order_by("pk"))
    there = [node for node in nodes if not is_gone(node, now)]
    waiting = [node for node in there if node.pk not in had]
    if not waiting:
        end(publication, Publication.State.DONE)
        return
    is_begun = any(not turn.node.is_first for turn in turns)
    most = math.ceil(len(there) * pace.percent / 100) if is_begun else 1
    if publication.kind == Publication.Kind.DIRECTORY and any(turn.node.is_first for turn in turns):
        # The first node has shown that it does no harm; people wait for their keys.
        most = len(waiting)
    Turn.objects.bulk_create(
        Turn(publication=publication, node=node, given_at=now, at_taking=standing(node))
        for node in waiting[:most]
    )
