"""Blocking and freeing: the order that the command line gives, and an entry in the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from lockgate.control.alerts.models import Alert, Block
from lockgate.control.alerts.preview import Target, preview
from lockgate.control.alerts.services import AlertError, now_micros
from lockgate.control.alerts.settings import lasting
from lockgate.control.audit.services import Actor, record
from lockgate.control.events.models import CallException
from lockgate.control.node import node_state
from lockgate.state import Blocked, State, StateError

if TYPE_CHECKING:
    from collections.abc import Iterable

HOUR: Final = 3_600
MOST_SECONDS: Final = 30 * 24 * HOUR
TIMEOUT_SECONDS: Final = 5.0
_REFUSALS: Final = {
    "source": "source.blocked",
    "application": "application.blocked",
    "credential": "credential.blocked",
}


@dataclass(frozen=True)
class Shown:
    """Something that is blocked now, as the node says, with what is known of it here."""

    blocked: Blocked
    row: Block | None
    refused: int
    """How many calls it has refused, as far as they are in the database."""

    @property
    def left(self) -> str:
        """How long it still lasts, in words."""
        seconds = int((self.blocked.ends - timezone.now()).total_seconds())
        if seconds >= 2 * HOUR:
            return lasting(seconds - seconds % HOUR)
        return lasting(max(1, seconds - seconds % 60 if seconds >= 60 else seconds))


def block(
    by: Actor,
    what: str,
    *,
    seconds: int,
    why: str,
    per_minute: int | None = None,
    alert: int | None = None,
) -> Block:
    """Refuse something for a time, or slow it down: at once, before the policies, and ending by itself.

    Args:
        by: Who orders it.
        what: An address, a network, an application, or the SHA-256 of a credential.
        seconds: For how long.
        why: Why, for those who look later.
        per_minute: So many calls a minute are let through all the same.
        alert: The alert that it answers.

    Raises:
        AlertError: The node refuses or does not answer; the message says why.
    """
    target = Target.read(what)
    why = why.strip() or "no reason was given"
    row = Alert.objects.filter(pk=alert).first() if alert is not None else None
    before = preview(target)
    try:
        done = _node().block(target.name, seconds, why, who=by.who, per_minute=per_minute)
    except StateError as error:
        message = str(error)
        if message.startswith("there is no application"):
            # Whoever meant an address is not told so by the directory, which knows applications alone.
            message += "; an address is written as 192.0.2.7, a network as 192.0.2.0/24"
        raise AlertError(message) from error
    slowed = f"{per_minute} calls a minute" if per_minute else "refused"
    after = f"{slowed} for {lasting(seconds)}, until {done.until_text}"
    # The node has it already: what keeps others safe does not wait for a database.
    with transaction.atomic():
        # The new one stands in the place of the old one.
        Block.objects.filter(target=done.what, ended_at=None).update(ended_at=now_micros(), ended_by=by.who)
        found = Block.objects.create(
            target=done.what,
            sort=done.sort,
            per_minute=per_minute,
            alert=row,
            who=by.who,
            why=why,
            since=_micros(done.since),
            until=_micros(done.until),
            preview=before.to_json(),
        )
        record(by, "block.added", f"{done.sort} {done.what}", before="free", after=after, why=why)
    return found


def unblock(by: Actor, what: str, why: str = "") -> None:
    """End a block before its time.

    Raises:
        AlertError: It is not blocked, or the node does not answer.
    """
    try:
        done = _node().unblock(Target.read(what).name)
    except StateError as error:
        raise AlertError(str(error)) from error
    before = f"until {done.until_text}"
    with transaction.atomic():
        Block.objects.filter(target=done.what, ended_at=None).update(ended_at=now_micros(), ended_by=by.who)
        record(by, "block.removed", f"{done.sort} {done.what}", before=before, after="free", why=why)


def live() -> list[Shown]:
    """What is blocked now, the newest first, whoever ordered it: the node is asked.

    Raises:
        AlertError: The node keeps no state.
    """
    try:
        blocked = _node().blocks()
    except StateError as error:
        raise AlertError(str(error)) from error
    rows = {row.target: row for row in Block.objects.filter(ended_at=None).select_related("alert")}
    found = [Shown(one, rows.get(one.what), _refused(one)) for one in blocked]
    return sorted(found, key=lambda one: one.blocked.since, reverse=True)


def of_target(target: Target, blocked: Iterable[Shown]) -> Shown | None:
    """What blocks a target, when something does."""
    return next((one for one in blocked if one.blocked.what == target.name), None)


def _refused(one: Blocked) -> int:
    found = CallException.objects.filter(at__gte=_micros(one.since))
    code = "caller.throttled" if one.per_minute else _REFUSALS[one.sort]
    if one.sort == "source" and "/" not in one.what:
        return found.filter(source=one.what, code=code).count()
    if one.sort == "application":
        return found.filter(application=one.what, code=code).count()
    return found.filter(code=code).count()


def _node() -> State:
    return State(node_state(settings.LOCKGATE.state), TIMEOUT_SECONDS)


def _micros(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1_000_000)
