"""The pages of feeds: what there is, setting one up, and what it brought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from lockgate.audit.identity import same
from lockgate.control.accounts.errors import AccountError, UnknownError
from lockgate.control.accounts.people import actor_of
from lockgate.control.changes.models import Proposal
from lockgate.control.console.permitted import permitted
from lockgate.control.feeds import forms, services
from lockgate.control.feeds.models import Feed

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse


@permitted(services.READ, to_change=services.WRITE)
def feeds(request: HttpRequest) -> HttpResponse:
    """Every feed, and setting up another one."""
    form = forms.New(*([request.POST] if request.method == "POST" else []))
    if request.method == "POST" and form.is_valid():
        try:
            made = services.make(actor_of(request), **form.cleaned_data)
        except AccountError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "It is set up, and fetched within seconds.")
            return redirect("feed", made.name)
    rows = [{"feed": one, "change": _change(one)} for one in Feed.objects.order_by("name")]
    return render(request, "feeds/feeds.html", {"rows": rows, "form": form, "git": settings.LOCKGATE.git})


@permitted(services.READ, to_change=services.WRITE)
def feed(request: HttpRequest, name: str) -> HttpResponse:
    """A feed: what it brought last, what comes of it, and what is said about it."""
    found = _found(name)
    by = actor_of(request)
    form = (
        forms.Change(request.POST)
        if request.method == "POST"
        else forms.Change(initial=forms.Change.of(found))
    )
    if request.method == "POST" and form.is_valid():
        try:
            services.change(by, name, **form.cleaned_data)
        except AccountError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "It is saved.")
            return redirect("feed", name)
    people = services.agreed(found)
    context: dict[str, Any] = {
        "feed": found,
        "form": form,
        "change": _change(found),
        "agreed": people,
        "has_agreed": any(one.email == by.who for one in people),
        "may_agree": services.APPROVE in by.permissions and not same(by.who, found.set_by),
        "fetches": found.fetches.all(),
        "git": settings.LOCKGATE.git,
    }
    return render(request, "feeds/feed.html", context)


@require_POST
@permitted(services.WRITE, to_change=services.WRITE)
def look_now(request: HttpRequest, name: str) -> HttpResponse:
    """Have it fetched at once."""
    return _act(
        request, name, lambda: services.look_now(actor_of(request), name), "It is fetched within seconds."
    )


@require_POST
@permitted(services.APPROVE, to_change=services.APPROVE)
def agree(request: HttpRequest, name: str) -> HttpResponse:
    """Approve in advance what it brings within its bounds, or take that back."""
    by = actor_of(request)
    if "back" in request.POST:
        return _act(request, name, lambda: services.disagree(by, name), "You take it back.")
    return _act(request, name, lambda: services.agree(by, name), "You agreed in advance.")


@require_POST
@permitted(services.WRITE, to_change=services.WRITE)
def remove(request: HttpRequest, name: str) -> HttpResponse:
    """Remove it."""
    try:
        left = services.remove(actor_of(request), name, why=request.POST.get("why", ""))
    except AccountError as error:
        messages.error(request, str(error))
        return redirect("feeds")
    messages.success(request, f"The feed is removed; {left}.")
    return redirect("feeds")


def _act(request: HttpRequest, name: str, act: Callable[[], object], said: str) -> HttpResponse:
    _found(name)
    try:
        act()
    except AccountError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, said)
    return redirect("feed", name)


def _found(name: str) -> Feed:
    try:
        return services.find(name)
    except UnknownError as error:
        raise Http404(str(error)) from None


def _change(feed: Feed) -> Proposal | None:
    """The change that it made last."""
    return Proposal.objects.filter(name=feed.change).first() if feed.change else None
