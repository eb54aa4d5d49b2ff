"""What is changed: accounts and tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from lockgate.control.accounts import people
from lockgate.control.accounts import tokens as access
from lockgate.control.accounts.errors import AccountError
from lockgate.control.accounts.models import AccessToken, User
from lockgate.control.accounts.people import actor_of
from lockgate.control.console import forms
from lockgate.control.console.permitted import permitted

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@permitted("users:read", to_change="users:write")
def users(request: HttpRequest) -> HttpResponse:
    """Every account, and inviting another one."""
    by = actor_of(request)
    form = forms.Invite(by.permissions, *([request.POST] if request.method == "POST" else []))
    link = invited = None
    if request.method == "POST" and form.is_valid():
        try:
            invited, token = people.invite(by, **form.cleaned_data)
        except AccountError as error:
            form.add_error(None, str(error))
        else:
            link = request.build_absolute_uri(reverse("link", args=[token]))
            form = forms.Invite(by.permissions)
    context = {"users": User.objects.order_by("email"), "form": form, "link": link, "invited": invited}
    return render(request, "console/users.html", context)


@permitted("users:write", to_change="users:write")
def user(request: HttpRequest, pk: int) -> HttpResponse:
    """An account: its role, whether it is active, and a link to choose another password."""
    found = get_object_or_404(User, pk=pk)
    by = actor_of(request)
    start = {"role": found.role, "is_active": found.is_active}
    form = forms.ChangeUser(by.permissions, initial=start)
    link = None
    if request.method == "POST":
        try:
            if "reset" in request.POST:
                token = people.reset(by, pk)
                link = request.build_absolute_uri(reverse("link", args=[token]))
            else:
                form = forms.ChangeUser(by.permissions, request.POST, initial=start)
                if form.is_valid():
                    people.change(by, pk, **form.cleaned_data)
                    messages.success(request, f"{found.email} was changed")
                    return redirect("users")
        except AccountError as error:
            messages.error(request, str(error))
    return render(request, "console/user.html", {"account": found, "form": form, "link": link})


@permitted("tokens:read", to_change="tokens:write")
def tokens(request: HttpRequest) -> HttpResponse:
    """Tokens of service accounts, and issuing another one."""
    by = actor_of(request)
    form = forms.IssueToken(by.permissions, *([request.POST] if request.method == "POST" else []))
    plain = issued = None
    if request.method == "POST" and form.is_valid():
        try:
            issued, plain = access.issue(by, **form.cleaned_data)
        except AccountError as error:
            form.add_error(None, str(error))
        else:
            form = forms.IssueToken(by.permissions)
    rows = AccessToken.objects.select_related("account").order_by("-created_at")[:500]
    context = {"tokens": rows, "form": form, "plain": plain, "issued": issued}
    return render(request, "console/tokens.html", context)


@require_POST
@permitted("tokens:write", to_change="tokens:write")
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Revoke a token."""
    try:
        token = access.revoke(actor_of(request), pk)
    except AccountError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{token} opens nothing any more")
    return redirect("tokens")
