"""The portal's first page, usage and status."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.shortcuts import render
from django.utils import timezone

from lockgate.control.analytics import drawn
from lockgate.control.analytics.queries.traffic import TrafficSummary
from lockgate.control.analytics.relations import at_once
from lockgate.control.events import index
from lockgate.control.events.times import between
from lockgate.control.portal import notices, quotas, refusals, spending
from lockgate.control.portal import status as health
from lockgate.control.portal import usage as calls
from lockgate.control.portal.mine import chosen_application, my_applications
from lockgate.control.portal.readers import for_readers
from lockgate.control.portal.served import read_catalogue

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpRequest, HttpResponse

    from lockgate.control.portal.catalogue import Catalogue

_SPANS = {"1": "24 hours", "7": "7 days", "30": "30 days"}


@for_readers
def home(request: HttpRequest) -> HttpResponse:
    """Where to begin, and what needs attention."""
    mine = my_applications(request)
    names = [one.name for one in mine]
    catalogue = read_catalogue()
    now = timezone.now()
    called = calls.usage(names, now - timedelta(days=7))
    ending = []
    for api in catalogue.apis:
        for version in api.versions:
            counted = calls.together(
                one for one in called if (one.api, one.version) == (api.name, version.name)
            )
            if version.deprecation and counted.calls:
                ending.append({"api": api, "version": version, "calls": counted.calls})
    context = {
        "applications": mine,
        "apis": catalogue.apis[:6],
        "groups": refusals.groups(names, 1)[:3],
        "notices": [one for one in notices.notices_for(names) if one["notice"].state == "upcoming"],
        "ending": ending,
        "total": calls.together(called),
        "troubled": [one for one in health.statuses(catalogue) if one.state in {"some", "bad"}],
    }
    return render(request, "portal/home.html", context)


def usage(request: HttpRequest) -> HttpResponse:
    """How much one of the reader's applications calls."""
    mine, chosen = chosen_application(request)
    days = request.GET.get("days", "7")
    days = days if days in _SPANS else "7"
    now = timezone.now()
    since = now - timedelta(days=int(days))
    catalogue = read_catalogue()
    with at_once():
        context = _usage(chosen.name, catalogue, since, now) if chosen else {}
    context |= {
        "applications": mine,
        "application": chosen,
        "days": days,
        "spans": _SPANS,
        "records": index.folder() is not None,
    }
    return render(request, "portal/usage.html", context)


@for_readers
def status(request: HttpRequest) -> HttpResponse:
    """How each API is."""
    found = health.statuses(read_catalogue())
    context = {"statuses": found, "is_whole": all(one.state == "good" for one in found)}
    return render(request, "portal/status.html", context)


def _usage(name: str, catalogue: Catalogue, since: datetime, now: datetime) -> dict[str, Any]:
    """What an application called, what models took, and what is left."""
    span = between(since, now)
    found = calls.usage([name], since)
    return {
        "rows": [{"used": one, "is_known": catalogue.api(one.api) is not None} for one in found],
        "total": calls.together(found),
        "whole": TrafficSummary(span=span, application=name).run()[0],
        "over": drawn.chart("traffic", span, application=name),
        "quotas": quotas.quotas(name, catalogue, now),
        "spending": spending.spending(name, {one.api for one in found}, catalogue, now, now - since),
    }
