"""Roles that need a second factor do nothing before they have one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.shortcuts import redirect
from django.utils.deprecation import MiddlewareMixin

from lockgate.control.accounts.models import User
from lockgate.control.problems import problem

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

_FACTORS: Final = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
_OPEN: Final = ("mfa_", "account_")
"""How the names of the pages begin by which a factor is set up, and those of signing in and out."""


class SecondFactorMiddleware(MiddlewareMixin):
    """Leads whoever needs a second factor to where it is set up."""

    def process_view(self, request: HttpRequest, *_: object) -> HttpResponse | None:
        """Answer in place of a page, or let it."""
        user = request.user
        match = request.resolver_match
        if not isinstance(user, User) or match is None or not is_missing(user):
            return None
        if (match.url_name or "").startswith(_OPEN):
            return None
        if match.namespace == "admin-api":
            # Whoever brings a token is not who the session is of.
            if "Authorization" in request.headers:
                return None
            return problem(
                403, f"your role {user.role} needs a second factor; set one up at /account/factors/"
            )
        messages.warning(
            request, f"As {user.get_role_display()} you need a second factor before anything else."
        )
        return redirect("mfa_index")


def is_missing(user: User) -> bool:
    """Whether somebody has a role that needs a second factor, and none."""
    if user.role not in settings.LOCKGATE_IDENTITY.second_factor:
        return False
    return not Authenticator.objects.filter(user=user, type__in=_FACTORS).exists()
