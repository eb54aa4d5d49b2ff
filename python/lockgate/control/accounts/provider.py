"""Signing in with an OpenID Connect provider: who may, with which role, and into which account.

Nothing is opened by default: whoever is in no group that has a role is refused. An account with a password of
its own is joined to somebody at the provider only by its owner, who is signed in: a provider that lets people
write an address of somebody else must not be a way into the account of that address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, cast

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.providers.base.constants import AuthProcess
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.shortcuts import redirect, render
from django.utils import timezone

from lockgate.control.accounts import people
from lockgate.control.accounts.models import User
from lockgate.control.accounts.signals import address_of
from lockgate.control.audit.services import Actor, record

if TYPE_CHECKING:
    from allauth.socialaccount.models import SocialLogin
    from django.http import HttpRequest, HttpResponse

    from lockgate.control.accounts.configuration import Provider

MOST_GROUPS = 1_000


class ProviderAdapter(DefaultSocialAccountAdapter):
    """What allauth asks about people whom a provider knows."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Let in whoever may be, and give them the role of their groups."""
        provider = _provider()
        claims = _claims(sociallogin.account.extra_data)
        role = provider.role_of(_groups(claims, provider.groups_claim))
        email = str(claims.get("email") or "").strip().lower()
        who = email or f"{sociallogin.account.uid} of {provider.issuer}"
        if role is None:
            _refuse(request, who, f"None of your groups at {provider.title} opens anything here.")
        if not email or claims.get("email_verified") is not True:
            _refuse(request, who, f"{provider.title} does not say that your e-mail address is verified.")
        if sociallogin.state.get("process") == AuthProcess.CONNECT:
            return
        if sociallogin.is_existing:
            self._meet(request, cast("User", sociallogin.user), role)
            return
        known = User.objects.filter(email=email).first()
        if known is None:
            self._describe(cast("User", sociallogin.user), email, str(claims.get("name") or ""), role)
            return
        if known.has_usable_password() or not known.is_active:
            _refuse(
                request,
                who,
                f"There is an account of {email} already. Sign in with its password, then join it to "
                f"{provider.title} on the page of your second factor.",
            )
        # It was made for this address and nobody ever used it: whoever has the address now is who it is for.
        sociallogin.connect(request, known)
        self._meet(request, known, role)

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:  # noqa: ARG002
        """Whoever came as far as this has a role."""
        return bool(cast("User", sociallogin.user).role)

    @transaction.atomic
    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:  # noqa: ANN401
        """Make the account."""
        user: User = super().save_user(request, sociallogin, form)
        by = Actor(user.email, address_of(request))
        why = f"signed in with {_provider().issuer}"
        record(by, "account.signed_up", f"account {user.email}", after=f"role {user.role}", why=why)
        return user

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,  # noqa: ANN401, ARG002 - as allauth asks
        error: Any = None,  # noqa: ANN401
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Say that it failed, in the words of the other pages; what exactly is in the audit log."""
        why = type(exception).__name__ if exception else str(error or "unknown")
        _refuse(
            request,
            "somebody",
            f"Signing in with {_provider().title} did not work. Try it again; when it fails again, an admin "
            "finds the reason in the audit log.",
            why=f"the provider: {why}",
        )

    def get_connect_redirect_url(self, request: HttpRequest, socialaccount: Any) -> str:  # noqa: ANN401, ARG002
        """Back to where it was begun."""
        return redirect("mfa_index").url

    @staticmethod
    def _describe(user: User, email: str, name: str, role: str) -> None:
        user.email, user.name, user.role = email, name[:120], role
        user.email_verified_at = timezone.now()

    @staticmethod
    def _meet(request: HttpRequest, user: User, role: str) -> None:
        if not user.is_active:
            _refuse(request, user.email, "This account is deactivated. An admin can activate it again.")
        people.take_role(user, role, address=address_of(request), why=f"by groups of {_provider().issuer}")


def begin(request: HttpRequest) -> HttpResponse:
    """Lead to the provider by a page of ours: a form may not lead to another site (CSP `form-action`)."""
    from allauth.socialaccount.adapter import get_adapter  # noqa: PLC0415 - settings must be there first

    provider = get_adapter(request).get_provider(request, "openid_connect")
    process = AuthProcess.CONNECT if request.user.is_authenticated else AuthProcess.LOGIN
    try:
        answer = provider.redirect(request, process=process, next_url=request.POST.get("next") or None)
    except ImmediateHttpResponse as error:
        return error.response
    return render(request, "accounts/leaving.html", {"url": answer["Location"], "title": _provider().title})


def _provider() -> Provider:
    return cast("Provider", settings.LOCKGATE_IDENTITY.provider)


def _claims(data: dict[str, Any]) -> dict[str, Any]:
    """What the provider says of somebody: in the token, and when asked.

    Answers about two different people are none (OpenID Connect Core 1.0, section 5.3.2).
    """
    told, token = data.get("userinfo") or {}, data.get("id_token") or {}
    if told and token and told.get("sub") != token.get("sub"):
        return {}
    return {**token, **told}


def _groups(claims: dict[str, Any], name: str) -> list[str]:
    # A name may lead into an object, as `realm_access.roles` does; a claim that has dots is found first.
    found: Any = claims.get(name)
    if found is None:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    if isinstance(found, str):
        return [found]
    return [one for one in found[:MOST_GROUPS] if isinstance(one, str)] if isinstance(found, list) else []


def _refuse(request: HttpRequest, who: str, what: str, why: str = "") -> NoReturn:
    with transaction.atomic():
        record(
            Actor("nobody", address_of(request)), "session.refused", f"account {who}"[:200], why=why or what
        )
    messages.error(request, what)
    raise ImmediateHttpResponse(redirect("mfa_index" if request.user.is_authenticated else "account_login"))
