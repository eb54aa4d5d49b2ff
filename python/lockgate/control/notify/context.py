"""How many notifications wait, on every page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.control.accounts.models import User
from lockgate.control.notify import services

if TYPE_CHECKING:
    from django.http import HttpRequest


def notifications(request: HttpRequest) -> dict[str, object]:
    """The count, for who is signed in."""
    user = getattr(request, "user", None)
    if not isinstance(user, User) or request.resolver_match is None:
        return {}
    return {"unread": services.unread(user)}
