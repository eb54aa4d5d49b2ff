"""The pages of alerts: the list, one alert with what to do about it, blocks, and rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import duckdb
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from lockgate.audit.entry import written
from lockgate.control.accounts.people import actor_of
from lockgate.control.alerts import actions, new_sources, services
from lockgate.control.alerts.forms import AlertFilter, BlockSubject, NewBlock, RuleForm
from lockgate.control.alerts.investigate import did, evidence_rows, facts
from lockgate.control.alerts.listing import Wanted, page
from lockgate.control.alerts.models import RESOLVED, Alert, Block
from lockgate.control.alerts.preview import Target, preview
from lockgate.control.alerts.rules import BY_NAME
from lockgate.control.alerts.services import AlertError
from lockgate.control.alerts.settings import choose, chosen
from lockgate.control.alerts.suggestion import open_change, suggestion
from lockgate.control.audit.models import Entry
from lockgate.control.console.permitted import permitted
from lockgate.control.events import index
from lockgate.control.events.times import moment
from lockgate.control.paging import place_of

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

PAGE = 50
MOST_ENDED = 20
MOST_NETWORKS = 3
_ENTRIES = 30


@permitted("alerts:read")
def alerts(request: HttpRequest) -> HttpResponse:
    """Alerts, those with the newest events first."""
    form = AlertFilter(request.GET)
    wanted = Wanted(**(form.cleaned_data if form.is_valid() else {}))
    before = place_of(request.GET.get("cursor", ""))
    found, following = page(wanted, before, PAGE)
    context = {
        "form": form,
        "rows": [_row(one) for one in found],
        "more": urlencode({**wanted.fields, "cursor": following}) if following else "",
        "is_filtered": bool(wanted.fields) or before is not None,
        "records": index.folder() is not None,
        "has_any": bool(found) or Alert.objects.exists(),
    }
    return render(request, "alerts/alerts.html", context)


@permitted("alerts:read", to_change="alerts:read")
def alert(request: HttpRequest, pk: int) -> HttpResponse:
    """One alert: what happened, what is usual, who is behind it, and what can be done."""
    found = get_object_or_404(Alert, pk=pk)
    if request.method == "POST":
        try:
            if request.POST.get("do") == "change":
                return redirect("change", _change(request, found))
            _act(request, found)
        except AlertError as error:
            messages.error(request, str(error))
        return redirect("alert", pk=pk)
    seen = did(found)
    rule = BY_NAME.get(found.rule)
    context = {
        **_row(found),
        "rule": rule,
        "form": BlockSubject(),
        "evidence": evidence_rows(found),
        "samples": [
            {**sample, "at": moment(sample["at"] / 1e6)} for sample in found.evidence.get("samples", [])
        ],
        "facts": facts(found.evidence),
        "usual": facts({"facts": found.baseline}) if "what" not in found.baseline else [],
        "fired": found.evidence.get("fired"),
        "did": seen,
        "blocked": _blocked(found),
        "networks": _networks(found),
        "blocks": [_ended(one) for one in found.blocks.order_by("-since")],
        "suggestion": suggestion(found),
        "history": _history(found),
        "applications": found.applications.order_by("-count", "application"),
    }
    return render(request, "alerts/alert.html", context)


@permitted("alerts:read", to_change="blocks:write")
def blocks(request: HttpRequest) -> HttpResponse:
    """What is blocked now, what was, and blocking something else."""
    form = NewBlock(request.POST if request.method == "POST" else None, initial=_asked(request))
    shown = None
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        if "preview" in request.POST:
            shown = preview(Target.read(given["what"]))
        else:
            try:
                done = actions.block(actor_of(request), given.pop("what"), **given)
            except AlertError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"{done.target} is blocked")
                return redirect("blocks")
    problem = ""
    try:
        live = actions.live()
    except AlertError as error:
        live, problem = [], str(error)
    ended = Block.objects.exclude(ended_at=None).order_by("-ended_at")[:MOST_ENDED]
    context = {
        "form": form,
        "preview": shown,
        "live": live,
        "problem": problem,
        "ended": [_ended(one) for one in ended],
    }
    return render(request, "alerts/blocks.html", context)


@require_POST
@permitted("blocks:write", to_change="blocks:write")
def unblock(request: HttpRequest) -> HttpResponse:
    """Free something before its time."""
    what = request.POST.get("what", "")
    try:
        actions.unblock(actor_of(request), what, request.POST.get("why", ""))
    except AlertError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{what} is free again")
    alert_pk = request.POST.get("alert", "")
    return redirect("alert", pk=int(alert_pk)) if alert_pk.isdecimal() else redirect("blocks")


@permitted("alerts:read", to_change="alerts:write")
def rules(request: HttpRequest) -> HttpResponse:
    """The rules, and when each fires."""
    name = request.POST.get("rule", "")
    sent = RuleForm(request.POST) if request.method == "POST" else None
    if sent is not None and sent.is_valid():
        given = sent.cleaned_data
        try:
            choose(
                actor_of(request),
                name,
                is_on=given["is_on"],
                threshold=given["threshold"] or 0,
                window_seconds=given["window_seconds"] or 0,
                quiet_seconds=given["quiet_seconds"],
            )
        except AlertError as error:
            sent.add_error(None, str(error))
        else:
            messages.success(request, f"{BY_NAME[name].title}: changed")
            return redirect("alert_rules")
    rows = []
    for one in chosen().values():
        start = {key: getattr(one, key) for key in RuleForm.base_fields}
        form = sent if sent is not None and one.rule.name == name else RuleForm(initial=start)
        form.auto_id = f"id_{one.rule.name}_%s"
        if not one.rule.is_windowed:
            del form.fields["threshold"], form.fields["window_seconds"]
        said = _said() if one.rule.name == new_sources.RULE else []
        rows.append({"one": one, "form": form, "said": said})
    return render(request, "alerts/rules.html", {"rows": rows})


def _change(request: HttpRequest, found: Alert) -> str:
    """Begin a change that answers an alert for good; gives its name."""
    by = actor_of(request)
    needed = "changes:write"
    if needed not in by.permissions:
        raise PermissionDenied(needed)
    return open_change(by, found)


def _act(request: HttpRequest, found: Alert) -> None:
    """Do what a button of the page of an alert says."""
    by, doing = actor_of(request), request.POST.get("do", "")
    why = request.POST.get("why", "")
    needed = "blocks:write" if doing in {"block", "throttle", "lock"} else "alerts:write"
    if needed not in by.permissions:
        raise PermissionDenied(needed)
    if doing == "acknowledge":
        services.acknowledge(by, found.pk, why)
        return
    if doing == "resolve":
        services.resolve(by, found.pk, why)
        return
    form = BlockSubject(request.POST)
    if doing not in {"block", "throttle", "lock"} or not form.is_valid():
        message = "this was not understood; nothing was done"
        raise AlertError(message)
    given = form.cleaned_data
    if doing == "throttle" and not given["per_minute"]:
        message = "write how many calls a minute are let through"
        raise AlertError(message)
    what = request.POST.get("credential", "") if doing == "lock" else _target(request, found)
    done = actions.block(
        by,
        what,
        seconds=given["seconds"],
        why=given["why"] or f"alert {found.pk}: {found.title}",
        per_minute=given["per_minute"] if doing == "throttle" else None,
        alert=found.pk,
    )
    if found.status == "open":
        services.acknowledge(by, found.pk, f"answered by blocking {done.target}")
    ends = f"until {moment(done.until / 1e6):%Y-%m-%d %H:%M} UTC"
    slowed = f"slowed down to {done.per_minute} calls a minute" if done.per_minute else "refused"
    messages.success(request, f"{done.target} is {slowed} {ends}")


def _target(request: HttpRequest, found: Alert) -> str:
    """What a button blocks: what the alert is about, or a network that it names."""
    network = request.POST.get("network", "")
    if network and network not in {one["network"] for one in found.evidence.get("new", ())}:
        message = f"this alert is not about `{network[:64]}`; nothing was done"
        raise AlertError(message)
    return network or found.name


def _networks(found: Alert) -> list[dict[str, Any]]:
    """The latest new networks of an alert, with what blocking each would have refused."""
    names = [one["network"] for one in reversed(found.evidence.get("new", ()))][:MOST_NETWORKS]
    try:
        live = actions.live() if names else []
    except AlertError:
        live = []
    targets = [Target.read(name) for name in names]
    return [
        {"name": one.name, "preview": preview(one), "blocked": actions.of_target(one, live)}
        for one in targets
    ]


def _said() -> list[str]:
    """What is known of where applications call from."""
    try:
        return new_sources.said(int(timezone.now().timestamp()))
    except duckdb.Error:
        return ["What was recorded cannot be read now, so nobody can say what is known."]


def _row(one: Alert) -> dict[str, Any]:
    return {
        "alert": one,
        "first": moment(one.first_at / 1e6),
        "last": moment(one.last_at / 1e6),
        "raised": moment(one.raised_at / 1e6),
        "status_at": moment(one.status_at / 1e6) if one.status_at else None,
        "is_over": one.status == RESOLVED,
    }


def _ended(one: Block) -> dict[str, Any]:
    return {
        "block": one,
        "since": moment(one.since / 1e6),
        "until": moment(one.until / 1e6),
        "ended": moment(one.ended_at / 1e6) if one.ended_at else None,
    }


def _blocked(found: Alert) -> actions.Shown | None:
    if found.sort not in {"source", "application"}:
        return None
    try:
        return actions.of_target(Target(found.sort, found.name), actions.live())
    except AlertError:
        return None


def _history(found: Alert) -> list[Entry]:
    """What people did about it, newest first."""
    about = Q(action__startswith="alert.", object__startswith=f"alert {found.pk}:")
    targets = [f"{one.sort} {one.target}" for one in found.blocks.all()]
    blocked = Q(action__startswith="block.", object__in=targets)
    entries = Entry.objects.filter(about | blocked, at__gte=written(moment(found.raised_at / 1e6)))
    return list(entries.order_by("-seq")[:_ENTRIES])


def _asked(request: HttpRequest) -> dict[str, str]:
    return {name: request.GET[name][:128] for name in ("what", "why") if name in request.GET}
