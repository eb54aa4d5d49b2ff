"""Telling people what became of their applications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import reverse

from lockgate.control.notify.event import Event, Holders
from lockgate.control.notify.services import send

if TYPE_CHECKING:
    from lockgate.control.access.models import Application, Credential, Plan, Subscription


def requested(subscription: Subscription) -> None:
    """Tell those who decide that somebody asks."""
    plan, application = subscription.plan, subscription.application
    send(
        Event(
            kind="access.requested",
            title=f"{application.title} asks for {plan.title}",
            text=subscription.reason or "No reason was given.",
            link=reverse("requests"),
            to=[_decider(plan)],
            data=_about(subscription),
        )
    )


def decided(subscription: Subscription) -> None:
    """Tell a team how its request was decided."""
    plan, application = subscription.plan, subscription.application
    did = "is on" if subscription.state == subscription.State.ACTIVE else "was refused"
    send(
        Event(
            kind=f"access.{subscription.state}",
            title=f"{application.title} {did} {plan.title}",
            text=subscription.answer or "Nothing was said to it.",
            link=page(application),
            to=[application.name],
            data=_about(subscription),
        )
    )


def ended(subscription: Subscription) -> None:
    """Tell a team that somebody ended its subscription."""
    application = subscription.application
    send(
        Event(
            kind="access.ended",
            title=f"{application.title} is no longer on {subscription.plan.title}",
            text=subscription.answer or "Nothing was said to it.",
            link=page(application),
            to=[application.name],
            data=_about(subscription),
        )
    )


def expires(credential: Credential, days: int) -> None:
    """Tell a team that a credential expires soon."""
    application = credential.application
    left = "tomorrow" if days == 1 else f"in {days} days"
    what = "secret" if credential.client_id else "key"
    name = f"{credential.label} ({credential.prefix}…)" if credential.label else f"{credential.prefix}…"
    send(
        Event(
            kind="key.expires",
            title=f"A {what} of {application.title} expires {left}",
            text=f"The {what} {name} is refused from {credential.expires_at:%Y-%m-%d %H:%M} UTC on. Rotate "
            "it: the new one works at once, and the old one until a time that you choose.",
            link=page(application),
            to=[application.name],
            data={"application": application.name, "credential": credential.pk, "days": days},
            severity="warning",
        )
    )


def revoked(credential: Credential, why: str) -> None:
    """Tell a team that somebody else revoked a credential of theirs."""
    application = credential.application
    what = "secret" if credential.client_id else "key"
    send(
        Event(
            kind="key.revoked",
            title=f"A {what} of {application.title} was revoked",
            text=f"{credential.prefix}… is refused from now on. {why or 'No reason was given.'}",
            link=page(application),
            to=[application.name],
            data={"application": application.name, "credential": credential.pk},
            severity="warning",
        )
    )


def suspended(application: Application, why: str) -> None:
    """Tell a team that somebody else suspended their application, or resumed it."""
    did = "was suspended" if application.suspended_at else "may call again"
    send(
        Event(
            kind="access.suspended" if application.suspended_at else "access.resumed",
            title=f"{application.title} {did}",
            text=why or "No reason was given.",
            link=page(application),
            to=[application.name],
            data={"application": application.name},
            severity="warning" if application.suspended_at else "info",
        )
    )


def moved(application: Application, before: str) -> None:
    """Tell a team that an application is theirs now."""
    send(
        Event(
            kind="access.moved",
            title=f"{application.title} belongs to {application.team.title} now",
            text=f"It came from the team {before}, with its keys and subscriptions.",
            link=page(application),
            to=[application.name],
            data={"application": application.name, "team": application.team.name},
        )
    )


def page(application: Application) -> str:
    """The path of an application's page."""
    return reverse("my_application", args=[application.name])


def _decider(plan: Plan) -> Any:  # noqa: ANN401 - a person, or those who may
    return plan.owner or Holders("subscriptions:approve")


def _about(subscription: Subscription) -> dict[str, Any]:
    return {"application": subscription.application.name, "plan": subscription.plan.name}
