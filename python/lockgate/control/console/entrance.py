"""Pages for people who have no session: the first account, invitations, new passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters

from lockgate.control.accounts import links, people
from lockgate.control.accounts.errors import AccountError, UnknownError
from lockgate.control.accounts.models import Link
from lockgate.control.console import forms

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@login_not_required
@sensitive_post_parameters()
def set_up(request: HttpRequest, token: str) -> HttpResponse:
    """Make the first account, with the link that the start printed."""
    try:
        links.find(token, Link.Kind.SET_UP)
    except UnknownError as error:
        return gone(
            request, f"{error}: start `lockgate serve` again, which prints one while nobody has an account"
        )
    form = forms.FirstAccount(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            people.make_first(
                token,
                email=given["email"],
                name=given["name"],
                password=given["password"],
                address=_address(request),
            )
        except AccountError as error:
            form.add_error("password", str(error))
        else:
            messages.success(request, "The account is made. Sign in, and switch on a second factor.")
            return redirect("account_login")
    return render(request, "console/set_up.html", {"form": form})


@login_not_required
@sensitive_post_parameters()
def link(request: HttpRequest, token: str) -> HttpResponse:
    """Choose the password of an account, with the link of an invitation or of a reset."""
    try:
        found = links.find(token, Link.Kind.INVITATION, Link.Kind.RESET)
    except UnknownError as error:
        return gone(request, str(error))
    form = forms.NewPassword(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            people.choose_password(token, password=form.cleaned_data["password"], address=_address(request))
        except AccountError as error:
            form.add_error("password", str(error))
        else:
            messages.success(request, "The password is set. Sign in with it.")
            return redirect("account_login")
    return render(request, "console/link.html", {"form": form, "account": found.user})


@login_not_required
def closed(request: HttpRequest) -> HttpResponse:
    """What nobody does alone: making an account, getting a new password, changing an address."""
    what = "Ask a platform admin, who can hand you a link to a new account or to a new password."
    context = {"title": "This takes an admin", "what": what}
    return render(request, "console/error.html", context, status=404)


def gone(request: HttpRequest, what: str) -> HttpResponse:
    """A link that works no more."""
    context = {"title": "This link does not work", "what": f"{what[0].upper()}{what[1:]}."}
    return render(request, "console/error.html", context, status=404)


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))
