"""Asking for a plan, deciding about it, and ending it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from lockgate.control.access import names, plans, told
from lockgate.control.access.delivery import tell
from lockgate.control.access.models import Application, Subscription
from lockgate.control.access.services import APPROVE, WRITE, find_application, role_in
from lockgate.control.accounts.errors import AccountError, ForbiddenError, UnknownError
from lockgate.control.audit.services import record

if TYPE_CHECKING:
    from lockgate.control.access.models import Plan
    from lockgate.control.audit.services import Actor

State = Subscription.State


@transaction.atomic
def ask(by: Actor, application: str, *, plan: str, reason: str = "") -> Subscription:
    """Ask for a plan; one that needs no approval is there at once.

    Raises:
        UnknownError: They have no such application, or there is no such plan.
        ForbiddenError: The application is retired.
        AccountError: The plan is closed, or they are on it or asked already.
    """
    found, wanted = find_application(by, application), plans.find(plan)
    # Of two who ask at once, the second sees what the first one did.
    Application.objects.select_for_update().get(pk=found.pk)
    if not wanted.is_open:
        message = f"`{wanted}` takes no new subscriptions; choose another plan"
        raise AccountError(message)
    there = found.subscriptions.filter(plan=wanted, state__in=[State.REQUESTED, State.ACTIVE]).first()
    if there is not None:
        how = "is on" if there.state == State.ACTIVE else "asked already for"
        message = f"`{found}` {how} `{wanted}`"
        raise AccountError(message)
    subscription = Subscription.objects.create(
        application=found,
        plan=wanted,
        state=State.REQUESTED,
        reason=names.text(reason, 2_000),
        asked_by=by.who,
    )
    record(by, "subscription.requested", _about(subscription), after="requested", why=subscription.reason)
    if wanted.needs_approval:
        told.requested(subscription)
    else:
        _activate(by, subscription, "this plan needs no approval")
    return subscription


@transaction.atomic
def decide(by: Actor, pk: int, *, approve: bool, answer: str = "") -> Subscription:
    """Approve a request or refuse it.

    Raises:
        UnknownError: There is no such request.
        ForbiddenError: It is their own or their team's, or somebody else's to decide.
        AccountError: It was decided already.
    """
    if APPROVE not in by.permissions:
        message = "requests are decided by API owners and platform admins"
        raise ForbiddenError(message)
    subscription = _find(pk)
    if subscription.state != State.REQUESTED:
        message = f"this request was decided by {subscription.decided_by or subscription.asked_by} already"
        raise AccountError(message)
    if subscription.asked_by == by.who or role_in(by, subscription.application.team) is not None:
        message = "this is a request of your own team; somebody else must decide about it"
        raise ForbiddenError(message)
    owner = subscription.plan.owner
    if owner is not None and owner.email != by.who and WRITE not in by.permissions:
        message = f"requests for `{subscription.plan}` are decided by {owner.email}"
        raise ForbiddenError(message)
    said = names.text(answer, 2_000)
    if approve:
        _activate(by, subscription, said)
    else:
        _decided(by, subscription, State.REFUSED, said)
        record(
            by,
            "subscription.refused",
            _about(subscription),
            before="requested",
            after="refused",
            why=said,
        )
    told.decided(subscription)
    return subscription


@transaction.atomic
def end(by: Actor, pk: int, *, why: str = "", application: str | None = None) -> Subscription:
    """End a subscription or take a request back; the application's team may, and those who decide.

    Raises:
        UnknownError: There is no such subscription.
        AccountError: It is over already.
    """
    subscription = _find(pk)
    owner = subscription.application.name
    if application is not None and application != owner:
        message = "you have no such subscription"
        raise UnknownError(message)
    is_decider = APPROVE in by.permissions
    if not is_decider:
        find_application(by, owner)
    if subscription.state not in {State.REQUESTED, State.ACTIVE}:
        message = f"`{subscription}` is over already"
        raise AccountError(message)
    before = subscription.state
    _end(by, subscription, names.text(why, 2_000), before)
    if role_in(by, subscription.application.team) is None:
        told.ended(subscription)
    return subscription


def gives(plan: Plan) -> str:
    """What a plan's limits are, in words; nothing when there are none."""
    parts = []
    if plan.rate_limit is not None:
        parts.append(f"{plan.rate_limit:,} calls in {plan.rate_per}")
    if plan.quota is not None:
        parts.append(f"{plan.quota:,} calls a {plan.quota_per}")
    return ", ".join(parts)


def _activate(by: Actor, subscription: Subscription, answer: str) -> None:
    _decided(by, subscription, State.ACTIVE, answer)
    record(
        by,
        "subscription.approved",
        _about(subscription),
        before="requested",
        after=f"active: {plans.state(subscription.plan)}",
        why=answer,
    )
    apis = set(subscription.plan.apis)
    others = subscription.application.subscriptions.filter(state=State.ACTIVE).exclude(pk=subscription.pk)
    for other in others.select_related("plan", "application"):
        # An application is on one plan of an API at a time, so that one limit counts.
        if apis & set(other.plan.apis):
            _end(by, other, f"{subscription.plan.name} takes its place", other.state)
    tell()


def _decided(by: Actor, subscription: Subscription, state: str, answer: str) -> None:
    subscription.state, subscription.answer = state, answer
    subscription.decided_by, subscription.decided_at = by.who, timezone.now()
    subscription.save(update_fields=["state", "answer", "decided_by", "decided_at"])


def _end(by: Actor, subscription: Subscription, why: str, before: str) -> None:
    subscription.state, subscription.ended_at = State.ENDED, timezone.now()
    subscription.answer = why or subscription.answer
    subscription.save(update_fields=["state", "ended_at", "answer"])
    record(by, "subscription.ended", _about(subscription), before=before, after="ended", why=why)
    tell()


def _find(pk: int) -> Subscription:
    # The lock first, and alone: rows that are joined by a key that may be empty cannot be locked.
    locked = Subscription.objects.select_for_update().filter(pk=pk).first()
    if locked is None:
        message = "there is no such request"
        raise UnknownError(message)
    return Subscription.objects.select_related("application__team", "plan__owner").get(pk=pk)


def _about(subscription: Subscription) -> str:
    return f"application {subscription.application.name}, plan {subscription.plan.name}"
