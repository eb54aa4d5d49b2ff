"""Sign-ins, failed ones among them, and second factors go to the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.core import context
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authentication_failed
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import transaction
from django.db.models.signals import post_delete, post_save

from lockgate.control.accounts.notices import warn
from lockgate.control.audit.services import Actor, here, record

if TYPE_CHECKING:
    from django.http import HttpRequest

    from lockgate.control.accounts.models import User

MOST_CHARACTERS = 254
"""Of an address that somebody typed."""


def connect() -> None:
    """Listen; called once, when the apps are ready."""
    user_logged_in.connect(_signed_in)
    user_logged_out.connect(_signed_out)
    user_login_failed.connect(_failed)
    authentication_failed.connect(_second_factor_failed)
    # Not allauth's own signals of these: they come when the change is committed, and the entry belongs to it.
    post_save.connect(_factor_saved, sender=Authenticator)
    post_delete.connect(_factor_removed, sender=Authenticator)


def address_of(request: HttpRequest | None) -> str:
    """From where somebody asks."""
    return str(request.META.get("REMOTE_ADDR", "")) if request is not None else ""


def _signed_in(*, request: HttpRequest, user: User, **_: Any) -> None:  # noqa: ANN401
    _write(request, user.email, "session.begun", user.email)


def _signed_out(*, request: HttpRequest, user: User | None, **_: Any) -> None:  # noqa: ANN401
    if user is not None:
        _write(request, user.email, "session.ended", user.email)


def _failed(*, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:  # noqa: ANN401
    # Who it was is not known: only which account was tried.
    tried = str(credentials.get("email") or credentials.get("username") or "")[:MOST_CHARACTERS]
    _write(request, "nobody", "session.refused", tried, why="wrong e-mail address or password")


def _second_factor_failed(*, request: HttpRequest, user: User, **_: Any) -> None:  # noqa: ANN401
    _write(request, "nobody", "session.refused", user.email, why="wrong second factor")


def _factor_saved(*, instance: Authenticator, created: bool, **_: Any) -> None:  # noqa: ANN401
    if created:
        _factor(instance, "account.factor_added", after=str(instance.type))


def _factor_removed(*, instance: Authenticator, **_: Any) -> None:  # noqa: ANN401
    _factor(instance, "account.factor_removed", before=str(instance.type))


def _factor(factor: Authenticator, action: str, **states: str) -> None:
    # Nobody changes the factors of somebody else but on the machine itself.
    who = here().who if context.request is None else factor.user.email
    _write(context.request, who, action, factor.user.email, **states)
    # Recovery codes come and go with the others, and a passkey is written at each use.
    if factor.type != Authenticator.Type.RECOVERY_CODES:
        done = "added to" if action.endswith("added") else "removed from"
        warn(
            factor.user,
            "factor_changed",
            f"A second factor was {done} your account",
            address_of(context.request),
        )


def _write(request: HttpRequest | None, who: str, action: str, account: str, **more: Any) -> None:  # noqa: ANN401
    with transaction.atomic():
        record(Actor(who, address_of(request)), action, f"account {account}", **more)
