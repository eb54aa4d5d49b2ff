"""Whether a directory does harm: to whom it lets in no more, and not by how many are refused.

Anybody on the internet can be refused as often as they like. So what strangers send counts for nothing here,
and what callers send who are known counts only where the directory itself has taken something from them that
nobody meant to take.
"""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db.models import Q

from lockgate import _engine
from lockgate.control.access.models import Application, KeyUse, Subscription
from lockgate.control.access.models import Credential as Issued
from lockgate.control.analytics import tail
from lockgate.control.changes import drafts
from lockgate.control.changes.errors import ChangeError
from lockgate.control.changes.models import Proposal
from lockgate.control.events.alerts import UNAUTHORIZED
from lockgate.control.events.models import CallException, Count
from lockgate.control.nodes.losses import Everything, Grant, Key, Way, losses

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from lockgate.control.nodes.losses import Entry, Loss
    from lockgate.control.nodes.models import Turn

log = logging.getLogger(__name__)

CALLED_WITHIN: Final = timedelta(days=7)
"""An application that had an answer within this time is live."""
USED_WITHIN: Final = timedelta(days=1)
"""The same of a key: one that callers have left for another one is soon taken away."""
FEWEST_REFUSED: Final = 3
"""Fewer refusals than this of an application prove nothing."""
BEFORE: Final = timedelta(hours=1)
"""As many refusals as in this time before are what that application has anyway."""
_MOST_NAMED: Final = 5
_MOST_CHANGES: Final = 50


def lost(
    before: Mapping[str, Entry],
    after: Mapping[str, Entry],
    revoked: Iterable[Mapping[str, str]],
    *,
    since: datetime,
    now: datetime,
) -> list[Loss]:
    """What applications have lost that nobody meant to take.

    Args:
        before: The applications of the directory that all nodes have, by name.
        after: Those of the one that is to follow.
        revoked: What is refused for ever, as `kept.HeldDirectory.revoked`.
        since: When the one before was published.
        now: The time.
    """
    found = losses(before, after, now)
    if not found:
        return []
    meant = _Meant(revoked, since, now)
    return [one for one in found if not meant.is_so(one)]


def missed(found: Iterable[Loss], now: datetime) -> list[Loss]:
    """Of what was lost, that which was in use; grants are missed by those alone who are refused for them."""
    return [one for one in found if not isinstance(one, Grant) and _is_live(one, now)]


def said(found: list[Loss]) -> str:
    """What was lost, and what to do about it, in a sentence or two."""
    names = ", ".join(str(one) for one in found[:_MOST_NAMED])
    more = f", and {len(found) - _MOST_NAMED:,} more" if len(found) > _MOST_NAMED else ""
    unknown = "" if settings.LOCKGATE.recording else " (nothing is recorded, so that nobody knows who calls)"
    return (
        f"{names}{more}; nobody withdrew that, and it was in use{unknown}. Put it back; or, if it is meant, "
        "revoke it with `lockgate directory revoke`, or publish this directory again"
    )


def harm(turn: Turn) -> str | None:
    """Whether applications are refused since a node took a directory which gives them less, in a sentence."""
    grants: dict[str, list[str]] = turn.at_taking.get("grants") or {}
    if not grants:
        return None
    since = int(turn.at_taking["since"])
    refused = _refused(list(grants), since - _micros(BEFORE))
    for name, at in sorted(refused.items()):
        after = sum(one >= since for one in at)
        if after >= FEWEST_REFUSED and after > len(at) - after:
            return (
                f"`{name}` has had {after:,} refusals since, and {len(at) - after:,} in the hour before: it "
                f"has lost the {', the '.join(grants[name][:_MOST_NAMED])}, and nobody withdrew that"
            )
    return None


def grants_of(found: Iterable[Loss]) -> dict[str, list[str]]:
    """Grants among what was lost, by application, as a turn keeps them."""
    by_name: dict[str, list[str]] = {}
    for one in found:
        if isinstance(one, Grant):
            by_name.setdefault(one.application, []).append(f"{one.sort} {one.name}")
    return by_name


class _Meant:
    """What people took away on purpose: revoked, ended in the portal, or let through the gate of changes."""

    def __init__(self, revoked: Iterable[Mapping[str, str]], since: datetime, now: datetime) -> None:
        named = list(revoked)
        self._applications = {one["application"] for one in named if "application" in one}
        self._hashes = {one["hash"].lower() for one in named if "hash" in one}
        self._changes = list(_changes(since, now))

    def is_so(self, loss: Loss) -> bool:
        """Whether somebody meant a loss."""
        if loss.application in self._applications or loss in self._changes:
            return True
        if isinstance(loss, Grant):
            return self._is_ended(loss)
        if isinstance(loss, Key):
            return self._is_revoked("key", loss.sha256)
        if isinstance(loss, (Everything, Way)):
            return all(self._is_revoked(one.sort, one.name) for one in loss.credentials)
        return False

    def _is_revoked(self, sort: str, name: str) -> bool:
        if sort in {"key", "certificate"} and name in self._hashes:
            return True
        issued = Issued.objects.exclude(revoked_at=None)
        if sort == "key":
            return issued.filter(sha256=name).exists()
        if sort == "client id":
            return issued.filter(client_id=name).exists()
        return False

    @staticmethod
    def _is_ended(grant: Grant) -> bool:
        if not Application.objects.filter(name=grant.application).exists():
            return False
        if grant.sort != "role":
            # Scopes and the plan follow from what it is subscribed to, which its roles tell.
            return True
        plan = grant.name.removeprefix("plan:")
        ended = Subscription.objects.filter(
            application__name=grant.application, plan__name=plan, state=Subscription.State.ENDED
        )
        return ended.exists()


def _changes(since: datetime, now: datetime) -> Iterator[Loss]:
    """What changes of the document took that went through the gate: replay and people looked at that."""
    ended = Q(stage=Proposal.Stage.ROLLING) | Q(stage=Proposal.Stage.LIVE, ended_at__gte=since)
    for proposal in Proposal.objects.filter(ended, break_glass="")[:_MOST_CHANGES]:
        try:
            draft = drafts.read(proposal.name)
            before, after = (
                json.loads(_engine.outline(path))["document"].get("applications") or {}
                for path in (draft.base, draft.candidate)
            )
        except (ChangeError, _engine.ProblemsError, OSError) as error:
            log.warning("what the change %s took from applications cannot be read: %s", proposal, error)
            continue
        yield from losses(before, after, now)


def _is_live(loss: Loss, now: datetime) -> bool:
    if isinstance(loss, Key):
        return KeyUse.objects.filter(sha256=loss.sha256, at__gte=now - USED_WITHIN).exists()
    if settings.LOCKGATE.recording is None:
        # Nobody knows; nobody would be told.
        return isinstance(loss, Everything)
    within = CALLED_WITHIN if isinstance(loss, Everything) else USED_WITHIN
    answered = Count.objects.filter(application=loss.application, code="", count__gt=0)
    return answered.filter(bucket__gte=int((now - within).timestamp())).exists()


def _refused(names: list[str], since: int) -> dict[str, list[int]]:
    """When applications were refused for what they may do, in microseconds."""
    found: dict[str, list[int]] = {}
    rows = CallException.objects.filter(application__in=names, alert=UNAUTHORIZED.name, at__gte=since)
    read = list(rows.values_list("application", "at"))
    # What is not sealed yet is what just happened.
    read += [
        (one.application, one.at)
        for one in tail.exceptions()
        if one.application in names and one.alert == UNAUTHORIZED.name and one.at >= since
    ]
    for name, at in read:
        found.setdefault(name, []).append(at)
    return found


def _micros(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
