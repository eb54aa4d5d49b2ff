"""Pages of making an account and of getting another password, alone. None tells whether an account exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.core import ratelimit
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from lockgate.control.accounts import forms, letters, links, people
from lockgate.control.accounts.errors import AccountError, UnknownError
from lockgate.control.accounts.models import Letter, Link
from lockgate.control.accounts.provider import begin
from lockgate.control.accounts.signals import address_of
from lockgate.control.console.entrance import closed, gone
from lockgate.control.notify import mail

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from lockgate.control.accounts.configuration import IdentitySettings


@login_not_required
def ask_sign_up(request: HttpRequest) -> HttpResponse:
    """Ask for a link that makes an account."""
    known: IdentitySettings = settings.LOCKGATE_IDENTITY
    if not known.sign_up.is_possible:
        return closed(request)
    form = forms.SignUp(request.POST if request.method == "POST" else None)
    context = {"form": form, "sign_up": known.sign_up}
    if request.method == "POST" and form.is_valid():
        return _asked(request, Letter.Kind.SIGN_UP, "signup", form.cleaned_data["email"])
    return render(request, "accounts/sign_up.html", context)


@login_not_required
def forgotten(request: HttpRequest) -> HttpResponse:
    """Ask for a link to choose another password with."""
    if not mail.is_on():
        return closed(request)
    form = forms.Forgotten(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        return _asked(request, Letter.Kind.RESET, "reset_password", form.cleaned_data["email"])
    return render(request, "accounts/forgotten.html", {"form": form})


@login_not_required
@sensitive_post_parameters()
def sign_up(request: HttpRequest, token: str) -> HttpResponse:
    """Make an account, with the link of a letter."""
    try:
        link = links.find(token, Link.Kind.SIGN_UP)
    except UnknownError as error:
        return gone(request, str(error))
    form = forms.NewAccount(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            people.sign_up(token, name=given["name"], password=given["password"], address=address_of(request))
        except AccountError as error:
            form.add_error("password", str(error))
        else:
            messages.success(request, "The account is made. Sign in.")
            return redirect("account_login")
    return render(request, "accounts/new_account.html", {"form": form, "email": link.email})


@login_not_required
def provider(request: HttpRequest) -> HttpResponse:
    """Sign in with the provider, or join somebody at the provider to the own account."""
    known: IdentitySettings = settings.LOCKGATE_IDENTITY
    # Only a form of ours begins it: a link elsewhere must not join an account to one of somebody else.
    if known.provider is None or request.method != "POST":
        return redirect("account_login")
    return begin(request)


@require_POST
def leave_provider(request: HttpRequest, pk: int) -> HttpResponse:
    """Part the own account from somebody at the provider."""
    try:
        people.leave_provider(request, pk)
    except AccountError as error:
        messages.error(request, str(error))
    return redirect("mfa_index")


@login_not_required
def cancelled(request: HttpRequest) -> HttpResponse:
    """Where allauth leads who did not sign in with the provider after all."""
    return redirect("mfa_index" if request.user.is_authenticated else "account_login")


def _asked(request: HttpRequest, kind: Letter.Kind, action: str, email: str) -> HttpResponse:
    # Counted for the address whether there is an account or not.
    if not ratelimit.consume(request, action=action, key=email.lower()):
        return render(request, "429.html", status=429)
    letters.ask(kind, email, request.build_absolute_uri("/"), address_of(request))
    return render(request, "accounts/asked.html", {"email": email, "kind": kind})
