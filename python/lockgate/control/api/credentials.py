"""Who calls an API: a person with a session, or a service account with a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from ninja.security import HttpBearer
from ninja.security.base import AuthBase
from ninja.utils import check_csrf

from lockgate.control.accounts import tokens
from lockgate.control.accounts.people import actor_of
from lockgate.control.audit.services import Actor

if TYPE_CHECKING:
    from django.http import HttpRequest


class NotPermittedError(Exception):
    """The caller is known, and may not."""

    def __init__(self, needed: str) -> None:
        super().__init__(needed)
        self.needed = needed


class ForgedError(Exception):
    """A form of another site may have sent this."""


def bearer(request: HttpRequest, token: str) -> Actor | None:
    """The service account of a token."""
    found = tokens.find(token)
    if found is None:
        return None
    address = str(request.META.get("REMOTE_ADDR", ""))
    return Actor(f"service account {found.account.name}", address, frozenset(found.scopes))


class Token(HttpBearer):
    """A bearer token."""

    def __init__(self, permission: str | None) -> None:
        super().__init__()
        self.permission = permission

    def authenticate(self, request: HttpRequest, token: str) -> Actor | None:
        """The caller, when the token is valid."""
        return _permitted(bearer(request, token), self.permission)


class Session(AuthBase):
    """The session of a person who is signed in; changes need the CSRF token of a page, too."""

    openapi_type = "apiKey"
    openapi_in = "cookie"
    openapi_name = settings.SESSION_COOKIE_NAME

    def __init__(self, permission: str | None) -> None:
        super().__init__()
        self.permission = permission

    def __call__(self, request: HttpRequest) -> Any:  # noqa: ANN401 - as ninja has it
        """The caller, when there is a session."""
        # Whoever brings a token means it; that a session is there too must not help a wrong one.
        if not request.user.is_authenticated or "Authorization" in request.headers:
            return None
        if check_csrf(request) is not None:
            raise ForgedError
        return _permitted(actor_of(request), self.permission)


def needs(permission: str | None) -> list[AuthBase]:
    """The credentials of a route: either may be brought, and must have the permission."""
    return [Token(permission), Session(permission)]


def caller(request: HttpRequest) -> Actor:
    """Who calls; within a route alone, whose credential was checked."""
    # Ninja puts there what the credential gave.
    actor: Actor = vars(request)["auth"]
    return actor


def _permitted(actor: Actor | None, permission: str | None) -> Actor | None:
    if actor is not None and permission is not None and permission not in actor.permissions:
        raise NotPermittedError(permission)
    return actor
