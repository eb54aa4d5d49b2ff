"""The pages of the console about who owns which API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render

from lockgate.control.accounts.errors import AccountError, UnknownError
from lockgate.control.accounts.people import actor_of
from lockgate.control.console.permitted import permitted
from lockgate.control.owners import forms, services
from lockgate.control.owners.people import people_of

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@permitted(services.READ)
def owners(request: HttpRequest) -> HttpResponse:
    """Every API, and who owns it."""
    return render(request, "owners/owners.html", {"apis": services.every()})


@permitted(services.READ, to_change=services.WRITE)
def owner(request: HttpRequest, api: str) -> HttpResponse:
    """Who owns an API, and saying who."""
    try:
        found = services.find(api)
    except UnknownError as error:
        raise Http404(str(error)) from None
    start = {"users": "\n".join(found.users), "teams": " ".join(found.teams)}
    form = forms.Owners(request.POST) if request.method == "POST" else forms.Owners(initial=start)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            services.own(
                actor_of(request),
                api,
                users=given["users"].split(),
                teams=given["teams"].split(),
                why=given["why"],
            )
        except AccountError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "It is saved, and everybody whom it concerns is told.")
            return redirect("api_owner", api)
    context = {"api": found, "form": form, "people": people_of(api)}
    return render(request, "owners/owner.html", context)
