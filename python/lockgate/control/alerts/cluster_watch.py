"""What goes wrong between the nodes: one refuses what it is given, a publication is stopped, a node is gone.

Each alert is about something that lasts, so it is over when that is, and not when nothing was heard of it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.utils import timezone

from lockgate.control.alerts.models import RESOLVED, Alert, Reading
from lockgate.control.alerts.services import goes_on, is_over, raise_alert
from lockgate.control.alerts.settings import chosen
from lockgate.control.nodes.models import Node, Publication, Turn
from lockgate.control.nodes.shown import shown
from lockgate.control.nodes.waves import GONE_AFTER
from lockgate.control.process import STARTED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lockgate.control.alerts.settings import Chosen

REFUSED: Final = "node_refused"
STOPPED: Final = "publication_stopped"
GONE: Final = "node_gone"
_MOST_SEEN: Final = 500
_ENDED: Final = (Publication.State.STOPPED, Publication.State.WITHDRAWN)

Facts = dict[str, str]
Found = tuple[str, str, str, Facts]
"""A mark that is another one each time that it happens anew, the rule, the subject, and what is known."""


def watch_cluster(now: datetime | None = None) -> None:
    """A round of the worker: raise what is wrong, once each time, and resolve what is no longer so."""
    now = now or timezone.now()
    found = [*_refusals(), *_stopped(), *_gone(now)]
    if not found and not _open():
        return
    with transaction.atomic():
        Reading.objects.get_or_create(pk=1)
        row = Reading.objects.select_for_update().get(pk=1)
        before: list[str] = row.node.get("cluster", [])
        rules = chosen()
        for mark, rule, subject, facts in found:
            _tell(rules[rule], subject, facts, is_new=mark not in before)
        lasts = {(rule, subject) for _, rule, subject, _ in found}
        for alert in _open():
            if (alert.rule, alert.subject) not in lasts:
                is_over(alert.rule, alert.subject, _why(alert))
        # What is over may happen again.
        marks = [mark for mark, *_ in found][-_MOST_SEEN:]
        if marks != before:
            row.node = {**row.node, "cluster": marks}
            row.save(update_fields=["node"])


def _tell(rule: Chosen, subject: str, facts: Facts, *, is_new: bool) -> None:
    # Somebody who has resolved it knows: it is told again when it happens anew.
    if rule.is_on and is_new:
        raise_alert(rule.rule.name, subject, {"facts": facts}, title=_title(rule, subject, facts))
    elif not is_new:
        goes_on(rule.rule.name, subject)


def _title(rule: Chosen, subject: str, facts: Facts) -> str:
    if rule.rule.name == STOPPED:
        return f"A {subject.partition(':')[2]} goes to no further node"
    what = f"refuses a {facts['What'].partition(' ')[0]}" if rule.rule.name == REFUSED else ""
    return f"A node {what}" if what else ""


def _refusals() -> Iterator[Found]:
    """What other nodes were given and do not take; the first node is watched by itself."""
    for one in shown():
        refused = None if one.node.is_first else one.refused
        if refused is not None:
            facts = {
                "What": f"{refused['what']} {refused['number']}",
                "Reason": refused["reason"],
                "Message": str(refused["message"])[:2_000],
                "Serves on": f"revision {one.node.revision[:12]}" if one.node.revision else "nothing",
            }
            mark = f"{REFUSED}:{one.node.pk}:{refused['what']}:{refused['number']}"
            yield mark, REFUSED, f"node:{one.node.name}", facts


def _stopped() -> Iterator[Found]:
    """Publications that were stopped or withdrawn, until what came after them gets on."""
    if not Node.objects.filter(removed_at=None, is_first=False).exists():
        # Where the first node is alone, there is none that it does not go to.
        return
    for kind in Publication.Kind.values:
        # What restores the one before is no answer to what was wrong.
        newest = Publication.objects.filter(kind=kind, restores=False).defer("payload").order_by("-number")
        for publication in newest.exclude(state=Publication.State.OVERTAKEN)[:20]:
            if publication.state == Publication.State.DONE or _gets_on(publication):
                break
            if publication.state in _ENDED:
                yield f"{STOPPED}:{publication.pk}", STOPPED, f"publication:{kind}", _facts(publication)
                break


def _gets_on(publication: Publication) -> bool:
    """Whether a publication that is on its way has passed a node."""
    if publication.state != Publication.State.ROLLING:
        return False
    return (
        Turn.objects.filter(publication=publication, node__is_first=False).exclude(healthy_at=None).exists()
    )


def _facts(publication: Publication) -> Facts:
    turns = Turn.objects.filter(publication=publication, node__is_first=False).select_related("node")
    took = sorted(turn.node.name for turn in turns if turn.took_at is not None)
    nodes = Node.objects.filter(removed_at=None, is_first=False).count()
    goes = publication.state == Publication.State.WITHDRAWN
    return {
        "What": f"{publication} ({publication.content[:12]})",
        "Why": publication.why or publication.get_state_display(),
        "Taken by": f"{len(took)} of {nodes} nodes" + (f": {', '.join(took[:10])}" if took else ""),
        "Now": "nodes that took it go back"
        if goes
        else "nodes that took it keep it; others keep what they have",
        "What to do": "put it right as another change, or press Publish again on the page Nodes",
    }


def _gone(now: datetime) -> Iterator[Found]:
    """Nodes that were not heard of for a while, as far as this control plane was there to hear them."""
    if time.time() - STARTED < GONE_AFTER.total_seconds():
        return
    for node in Node.objects.filter(removed_at=None, is_first=False):
        if node.seen_at is not None and now - node.seen_at > GONE_AFTER:
            facts = {
                "Heard of last": f"{node.seen_at:%Y-%m-%d %H:%M:%S} UTC",
                "Served then": f"revision {node.revision[:12]}" if node.revision else "nothing",
                "Address": node.address,
            }
            yield f"{GONE}:{node.pk}:{node.seen_at.isoformat()}", GONE, f"node:{node.name}", facts


def _open() -> list[Alert]:
    """What is told here and is not resolved; of refusals, those of other nodes."""
    others = [f"node:{name}" for name in Node.objects.filter(is_first=False).values_list("name", flat=True)]
    found = Alert.objects.exclude(status=RESOLVED).filter(rule__in=(REFUSED, STOPPED, GONE))
    return [one for one in found if one.rule != REFUSED or one.subject in others or _is_removed(one)]


def _is_removed(alert: Alert) -> bool:
    """Whether it is about a node that was removed since, and so has another name."""
    return Node.objects.filter(name__startswith=f"{alert.name} (removed ").exists()


def _why(alert: Alert) -> str:
    if alert.rule == STOPPED:
        return "what came after it gets on"
    if _is_removed(alert) and not Node.objects.filter(name=alert.name).exists():
        return "the node was removed"
    return "the node was heard of again" if alert.rule == GONE else "the node takes what it is given"
