"""Applications: made, suspended, given to other teams, retired. Each change reaches the node at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.utils import timezone

from lockgate.control.access import names, told
from lockgate.control.access.delivery import others, tell, tell_revoked
from lockgate.control.access.models import Application, Credential, Subscription, Team
from lockgate.control.access.services import OWN, find_application, find_team, role_in
from lockgate.control.accounts.errors import AccountError, ForbiddenError, UnknownError
from lockgate.control.audit.services import record

if TYPE_CHECKING:
    from lockgate.control.audit.services import Actor

_WHERE = {
    "document": "the gateway's document has an application `{name}` already",
    "directory": "an application `{name}` was published by hand already",
}


@transaction.atomic
def create(by: Actor, *, name: str, title: str, team: str, description: str = "") -> Application:
    """Make an application in a team of one's own.

    Raises:
        AccountError: The name is taken, here or by the document, or is none.
        ForbiddenError: They may not have applications.
        UnknownError: They have no such team.
    """
    _may_own(by)
    trimmed = names.check(name, "an application")
    if where := others().get(trimmed):
        message = f"{_WHERE[where].format(name=trimmed)}, and it stays as it is; choose another name"
        raise AccountError(message)
    try:
        with transaction.atomic():
            application = Application.objects.create(
                name=trimmed,
                title=names.text(title, 120) or trimmed,
                description=names.text(description, 2_000),
                team=find_team(by, team),
                created_by=by.who,
            )
    except IntegrityError:
        message = f"there is an application `{trimmed}` already; choose another name"
        raise AccountError(message) from None
    record(by, "application.created", _about(application), after=f"team {application.team.name}")
    tell()
    return application


@transaction.atomic
def change(by: Actor, name: str, *, title: str | None = None, description: str | None = None) -> Application:
    """Change what an application is called, or what is said of it.

    Raises:
        UnknownError: They have no such application.
        ForbiddenError: It is retired.
    """
    application = find_application(by, name)
    before = f"{application.title}: {application.description}"
    if title is not None:
        application.title = names.text(title, 120) or application.name
    if description is not None:
        application.description = names.text(description, 2_000)
    application.save(update_fields=["title", "description"])
    after = f"{application.title}: {application.description}"
    if after != before:
        record(by, "application.changed", _about(application), before=before, after=after)
        tell()
    return application


@transaction.atomic
def suspend(by: Actor, name: str, *, why: str = "") -> Application:
    """Have all credentials of an application refused until it is resumed.

    Raises:
        UnknownError: They have no such application.
        ForbiddenError: It is retired.
    """
    application = find_application(by, name)
    if application.suspended_at is None:
        application.suspended_at = timezone.now()
        application.save(update_fields=["suspended_at"])
        record(by, "application.suspended", _about(application), before="active", after="suspended", why=why)
        tell()
        _tell_team(by, application, why)
    return application


@transaction.atomic
def resume(by: Actor, name: str, *, why: str = "") -> Application:
    """Have a suspended application's credentials work again.

    Raises:
        UnknownError: They have no such application.
        ForbiddenError: It is retired.
    """
    application = find_application(by, name)
    if application.suspended_at is not None:
        application.suspended_at = None
        application.save(update_fields=["suspended_at"])
        record(by, "application.resumed", _about(application), before="suspended", after="active", why=why)
        tell()
        _tell_team(by, application, why)
    return application


@transaction.atomic
def move(by: Actor, name: str, *, team: str, why: str = "") -> Application:
    """Give an application to another team, with all its keys and subscriptions.

    Raises:
        UnknownError: They have no such application, or there is no such team.
        ForbiddenError: They own the application's team no more than the other one.
        AccountError: It is there already.
    """
    application = find_application(by, name, to_own=True)
    receiver = Team.objects.filter(name=team.strip()).first()
    if receiver is None:
        message = f"there is no team `{team[:80]}`"
        raise UnknownError(message)
    before = application.team
    if receiver == before:
        message = f"`{application}` belongs to `{before}` already"
        raise AccountError(message)
    application.team = receiver
    application.save(update_fields=["team"])
    record(
        by,
        "application.moved",
        _about(application),
        before=f"team {before.name}",
        after=f"team {receiver.name}",
        why=why,
    )
    told.moved(application, before.title)
    # Budgets may count by its team.
    tell()
    return application


@transaction.atomic
def retire(by: Actor, name: str, *, why: str = "") -> Application:
    """End an application for ever: every credential is revoked, and nobody can take its name.

    Raises:
        UnknownError: They have no such application.
        ForbiddenError: It takes an owner of its team.
    """
    application = find_application(by, name, to_own=True)
    now = timezone.now()
    for key in application.credentials.filter(kind=Credential.Kind.KEY, revoked_at=None):
        tell_revoked(key.sha256)
    application.credentials.filter(revoked_at=None).update(revoked_at=now)
    application.subscriptions.filter(
        state__in=[Subscription.State.REQUESTED, Subscription.State.ACTIVE]
    ).update(state=Subscription.State.ENDED, ended_at=now)
    application.retired_at = now
    application.save(update_fields=["retired_at"])
    record(by, "application.retired", _about(application), before="active", after="retired", why=why)
    tell()
    return application


def _tell_team(by: Actor, application: Application, why: str) -> None:
    if role_in(by, application.team) is None:
        told.suspended(application, names.text(why, 2_000))


def _may_own(by: Actor) -> None:
    if OWN not in by.permissions:
        message = "your role has no applications; a platform admin can give you another one"
        raise ForbiddenError(message)


def _about(application: Application) -> str:
    return f"application {application.name}"
