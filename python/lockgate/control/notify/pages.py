"""Pages of notifications, preferences and channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from lockgate.control.accounts.models import User
from lockgate.control.accounts.people import actor_of
from lockgate.control.console.permitted import permitted
from lockgate.control.notify import channels as service
from lockgate.control.notify import forms, mail, services
from lockgate.control.notify.errors import NotifyError
from lockgate.control.notify.models import Channel, Delivery, Notification
from lockgate.control.notify.preferences import prefer, preferences

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

_A_PAGE = 50


def notifications(request: HttpRequest) -> HttpResponse:
    """What a person was told, newest first; and marking it as read."""
    user = _person(request)
    if request.method == "POST":
        chosen = request.POST.get("read", "")
        services.read(user, int(chosen) if chosen.isdecimal() else None)
        return redirect("notifications")
    rows = Notification.objects.filter(user=user).select_related("message").order_by("-message__at", "-pk")
    page = Paginator(rows, _A_PAGE).get_page(request.GET.get("page"))
    return render(request, "notify/notifications.html", {"page": page})


def opened(request: HttpRequest, pk: int) -> HttpResponse:
    """Mark a notification as read and go where it leads."""
    user = _person(request)
    found = Notification.objects.filter(user=user, pk=pk).select_related("message").first()
    if found is None:
        return redirect("notifications")
    services.read(user, pk)
    # A path of ours, whatever it says: nothing that was told leads to another site.
    link = found.message.link
    return redirect(link if link.startswith("/") and not link.startswith(("//", "/\\")) else "notifications")


def own_preferences(request: HttpRequest) -> HttpResponse:
    """How a person wants to be told, and their webhooks."""
    user = _person(request)
    form = forms.Preferences(preferences(user), *([request.POST] if _sent(request, "preferences") else []))
    if _sent(request, "preferences") and form.is_valid():
        prefer(user, form.chosen)
        messages.success(request, "It is kept.")
        return redirect("notification_preferences")
    webhook = forms.Webhook(request.POST if _sent(request, "webhook") else None)
    secret = made = None
    if _sent(request, "webhook") and webhook.is_valid():
        try:
            made, secret = service.make(actor_of(request), user, kind="webhook", **webhook.cleaned_data)
        except NotifyError as error:
            webhook.add_error("url", str(error))
        else:
            webhook = forms.Webhook()
    context = {
        "form": form,
        "webhook": webhook,
        "channels": Channel.objects.filter(owner=user).order_by("name"),
        "most": service.MOST_OF_A_PERSON,
        "made": made,
        "secret": secret,
        "mails": mail.is_on(),
    }
    return render(request, "notify/preferences.html", context)


def own_channel(request: HttpRequest, pk: int) -> HttpResponse:
    """A webhook of one's own."""
    return _channel(request, _person(request), pk, "notification_preferences")


@permitted("channels:read", to_change="channels:write")
def channels(request: HttpRequest) -> HttpResponse:
    """Channels of those who run the gateway, and making another one."""
    form = forms.NewChannel(request.POST if request.method == "POST" else None)
    secret = made = None
    if request.method == "POST" and form.is_valid():
        try:
            made, secret = service.make(actor_of(request), None, **form.cleaned_data)
        except NotifyError as error:
            form.add_error(None, str(error))
        else:
            form = forms.NewChannel()
    context = {
        "channels": Channel.objects.filter(owner=None).order_by("name"),
        "form": form,
        "made": made,
        "secret": secret,
    }
    return render(request, "notify/channels.html", context)


@permitted("channels:read", to_change="channels:write")
def channel(request: HttpRequest, pk: int) -> HttpResponse:
    """A channel of those who run the gateway, with its deliveries."""
    return _channel(request, None, pk, "channels")


@require_POST
@permitted("channels:write", to_change="channels:write")
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove a channel."""
    return _removed(request, None, pk, "channels")


@require_POST
def remove_own(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove a webhook of one's own."""
    return _removed(request, _person(request), pk, "notification_preferences")


def _channel(request: HttpRequest, owner: User | None, pk: int, back: str) -> HttpResponse:
    try:
        found = service.of(owner, pk)
    except NotifyError as error:
        messages.error(request, str(error))
        return redirect(back)
    by = actor_of(request)
    form = forms.Topics(
        request.POST if _sent(request, "topics-of") else None, initial={"topics": found.topics}
    )
    secret = None
    try:
        if _sent(request, "test"):
            service.try_out(by, found)
            messages.success(request, "A test is on its way; its result is below within seconds.")
            return redirect(request.path)
        if _sent(request, "enable"):
            service.enable(by, found)
            return redirect(request.path)
        if _sent(request, "rotate"):
            secret = service.rotate(by, found)
        if _sent(request, "topics-of") and form.is_valid():
            service.choose_topics(by, found, form.cleaned_data["topics"])
            messages.success(request, "It is kept.")
            return redirect(request.path)
    except NotifyError as error:
        messages.error(request, str(error))
    context = {
        "channel": found,
        "form": form,
        "secret": secret,
        "back": back,
        "shell": "portal/base.html" if owner else "console/base.html",
        "remove": "remove_own_channel" if owner else "remove_channel",
        "may_change": owner is not None or "channels:write" in by.permissions,
        "deliveries": Delivery.objects.filter(channel=found).select_related("message").order_by("-pk")[:50],
    }
    return render(request, "notify/channel.html", context)


def _removed(request: HttpRequest, owner: User | None, pk: int, back: str) -> HttpResponse:
    try:
        found = service.of(owner, pk)
        service.remove(actor_of(request), found)
    except NotifyError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{found} was removed.")
    return redirect(back)


def _sent(request: HttpRequest, button: str) -> bool:
    return request.method == "POST" and button in request.POST


def _person(request: HttpRequest) -> User:
    user = request.user
    if not isinstance(user, User):
        # Who has no session was led to the sign-in before.
        raise PermissionDenied
    return user
