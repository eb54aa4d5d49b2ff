"""What is looked at: the overview, exceptions and the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.shortcuts import redirect, render

from lockgate.control.accounts.people import actor_of
from lockgate.control.analytics import tail
from lockgate.control.audit import services as audit
from lockgate.control.console import forms, recorded
from lockgate.control.console.installation import READ, installation
from lockgate.control.console.overview import overview as look
from lockgate.control.console.permitted import permitted
from lockgate.control.console.reasons import reason
from lockgate.control.events import exceptions as calls
from lockgate.control.events import index
from lockgate.control.events.alerts import ALERTS
from lockgate.control.events.lateness import in_words, worth_saying
from lockgate.control.events.recordings import FIRST, name_of
from lockgate.control.events.times import moment
from lockgate.control.nodes.models import Node
from lockgate.control.paging import place_of

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

PAGE = 50
_TITLES = {alert.name: alert.title for alert in ALERTS}


def overview(request: HttpRequest) -> HttpResponse:
    """What happens now; those whom it does not concern are led to the portal."""
    if "traffic:read" not in actor_of(request).permissions:
        return redirect("portal_home")
    return render(request, "console/overview.html", {"overview": look()})


@permitted("traffic:read")
def live(request: HttpRequest) -> HttpResponse:
    """The part of the overview that changes, which its page asks for again and again."""
    return render(request, "console/live.html", {"overview": look()})


@permitted("exceptions:read")
def exceptions(request: HttpRequest) -> HttpResponse:
    """Calls that were refused or failed, newest first."""
    form = forms.ExceptionFilter(request.GET)
    given = form.cleaned_data if form.is_valid() else {}
    wanted = calls.Wanted(**given)
    before = place_of(request.GET.get("cursor", ""))
    index.index_new()
    found, following = calls.page(wanted, before, PAGE, tail.exceptions())
    rows = [
        {
            "call": one,
            "at": moment(one.at / 1_000_000),
            "reason": reason(one.code),
            "alert": _TITLES.get(one.alert, ""),
        }
        for one in found
    ]
    more = urlencode({**wanted.fields, "cursor": following}) if following else ""
    is_filtered = bool(wanted.fields) or before is not None
    first = name_of(FIRST)
    has_others = Node.objects.filter(is_first=False).exists()
    context = {
        "form": form.shown(with_nodes=has_others),
        "first": first,
        "has_others": has_others,
        "behind": in_words(worth_saying()),
        "rows": rows,
        "more": more,
        "chosen": reason(wanted.code) if wanted.code else None,
        "is_filtered": is_filtered,
        "asked_request": wanted.request,
        "records": index.folder() is not None,
    }
    return render(request, "console/exceptions.html", context)


@permitted("traffic:read")
def recordings(request: HttpRequest) -> HttpResponse:
    """What nodes recorded, and what is missing of it."""
    context = {
        "records": index.folder() is not None,
        "gaps": recorded.missing(),
        "rows": recorded.by_node(),
        "days": recorded.DAYS,
        "days_kept": index.RETENTION_DAYS,
    }
    return render(request, "console/recordings.html", context)


@permitted(READ)
def settings(request: HttpRequest) -> HttpResponse:
    """How this control plane is set up."""
    return render(request, "console/settings.html", {"groups": installation()})


@permitted("audit:read")
def audit_log(request: HttpRequest) -> HttpResponse:
    """What people and automation did, newest first."""
    form = forms.AuditFilter(request.GET)
    given = form.cleaned_data if form.is_valid() else {}
    before = request.GET.get("before", "")
    number = int(before) if before.isascii() and before.isdecimal() and len(before) < 16 else None
    filters = {name: value for name, value in given.items() if value}
    page = audit.page(**filters, before=number, most=PAGE)
    context = {
        "form": form,
        "rows": page.rows,
        "is_filtered": bool(filters) or number is not None,
        "more": urlencode({**filters, "before": page.next}) if page.next else "",
        "verified": audit.verify() if "verify" in request.GET else None,
    }
    return render(request, "console/audit.html", context)
