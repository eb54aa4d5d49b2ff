"""Sign-ins, failed ones among them, and changes of one's own account go to the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.signals import password_changed
from allauth.mfa.signals import (
    authentication_failed,
    authenticator_added,
    authenticator_removed,
    authenticator_reset,
)
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import transaction

from lockgate.control.audit.services import Actor, record

if TYPE_CHECKING:
    from allauth.mfa.models import Authenticator
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
    password_changed.connect(_password_changed)
    authenticator_added.connect(_factor_added)
    authenticator_removed.connect(_factor_removed)
    authenticator_reset.connect(_factor_reset)


def _write(request: HttpRequest | None, who: str, action: str, about: str, **more: str) -> None:
    address = str(request.META.get("REMOTE_ADDR", "")) if request is not None else ""
    with transaction.atomic():
        record(Actor(who, address), action, about, **more)


def _signed_in(*, request: HttpRequest, user: User, **_: Any) -> None:  # noqa: ANN401
    _write(request, user.email, "session.begun", f"account {user.email}")


def _signed_out(*, request: HttpRequest, user: User | None, **_: Any) -> None:  # noqa: ANN401
    if user is not None:
        _write(request, user.email, "session.ended", f"account {user.email}")


def _failed(*, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:  # noqa: ANN401
    # Who it was is not known: only which account was tried.
    tried = str(credentials.get("email") or credentials.get("username") or "")[:MOST_CHARACTERS]
    _write(request, "nobody", "session.refused", f"account {tried}", why="wrong e-mail address or password")


def _second_factor_failed(*, request: HttpRequest, user: User, **_: Any) -> None:  # noqa: ANN401
    _write(request, "nobody", "session.refused", f"account {user.email}", why="wrong second factor")


def _password_changed(*, request: HttpRequest, user: User, **_: Any) -> None:  # noqa: ANN401
    _write(request, user.email, "account.password_changed", f"account {user.email}")


def _factor(request: HttpRequest, user: User, authenticator: Authenticator, what: str) -> None:
    _write(request, user.email, f"account.factor_{what}", f"account {user.email}", after=authenticator.type)


def _factor_added(*, request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:  # noqa: ANN401
    _factor(request, user, authenticator, "added")


def _factor_removed(*, request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:  # noqa: ANN401
    _factor(request, user, authenticator, "removed")


def _factor_reset(*, request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:  # noqa: ANN401
    _factor(request, user, authenticator, "reset")
