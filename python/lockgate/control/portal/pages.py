"""The portal's first page, usage and status."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.shortcuts import render
from django.utils import timezone

from lockgate.control.analytics import drawn
from lockgate.control.events import index
from lockgate.control.events.times import between
from lockgate.control.portal import notices, quotas, refusals, spending
from lockgate.control.portal import status as health
from lockgate.control.portal import usage as calls
from lockgate.control.portal.mine import chosen_application, my_applications
from lockgate.control.portal.readers import for_readers
from lockgate.control.portal.served import read_catalogue

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from lockgate.control.portal.usage import Sum

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
                one for key, one in called.items() if key[1:3] == (api.name, version.name)
            )
            if version.deprecation and counted.calls:
                ending.append({"api": api, "version": version, "calls": counted.calls})
    context = {
        "applications": mine,
        "apis": catalogue.apis[:6],
        "groups": refusals.groups(names, 1)[:3],
        "notices": [one for one in notices.notices_for(names) if one["notice"].state == "upcoming"],
        "ending": ending,
        "total": calls.together(called.values()),
        "troubled": [one for one in health.statuses(catalogue) if one.state in {"some", "bad"}],
    }
    return render(request, "portal/home.html", context)


def usage(request: HttpRequest) -> HttpResponse:
    """How much one of the reader's applications calls."""
    mine, chosen = chosen_application(request)
    days = request.GET.get("days", "7")
    days = days if days in _SPANS else "7"
    now = timezone.now()
    counted = calls.usage([chosen.name] if chosen else [], now - timedelta(days=int(days)))
    by_version: dict[tuple[str, str], list[Sum]] = {}
    for (_, api, version, _), one in counted.items():
        by_version.setdefault((api, version), []).append(one)
    catalogue = read_catalogue()
    rows: list[dict[str, Any]] = [
        {
            "api": api,
            "version": version,
            "sum": calls.together(sums),
            "is_known": catalogue.api(api) is not None,
        }
        for (api, version), sums in by_version.items()
    ]
    context = {
        "applications": mine,
        "application": chosen,
        "days": days,
        "spans": _SPANS,
        "rows": sorted(rows, key=lambda row: -row["sum"].calls),
        "total": calls.together(counted.values()),
        "over": drawn.chart("traffic", between(now - timedelta(days=int(days)), now), application=chosen.name)
        if chosen
        else None,
        "quotas": quotas.quotas(chosen.name, catalogue, now) if chosen else [],
        "spending": spending.spending(
            chosen.name, {api for _, api, _, _ in counted}, catalogue, now, timedelta(days=int(days))
        )
        if chosen
        else None,
        "records": index.folder() is not None,
    }
    return render(request, "portal/usage.html", context)


@for_readers
def status(request: HttpRequest) -> HttpResponse:
    """How each API is."""
    found = health.statuses(read_catalogue())
    context = {"statuses": found, "is_whole": all(one.state == "good" for one in found)}
    return render(request, "portal/status.html", context)
