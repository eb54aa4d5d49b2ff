"""`/audit/logs`: what happened, for security monitoring. The body is JSON, whatever its Content-Type says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from lockgate.control import node
from lockgate.control.analytics import tail
from lockgate.control.analytics.report import Report
from lockgate.control.analytics.taking import take_new
from lockgate.control.api.credentials import bearer
from lockgate.control.api.query import Query, QueryError
from lockgate.control.audit.checkpoints import checkpoint
from lockgate.control.audit.services import record
from lockgate.control.events import index
from lockgate.control.events.completeness import gaps
from lockgate.control.events.exceptions import place
from lockgate.control.events.models import Progress
from lockgate.control.events.recordings import FIRST, name_of
from lockgate.control.events.times import text_of
from lockgate.control.paging import cursor, page_of
from lockgate.control.problems import insufficient_scope, invalid_token, problem

if TYPE_CHECKING:
    from lockgate.control.audit.services import Actor
    from lockgate.control.events.models import CallException

SCOPE = "audit:read"
MOST_BYTES = 64 << 10


@csrf_exempt
@login_not_required
@require_http_methods(["GET", "POST"])
def audit_logs(request: HttpRequest) -> HttpResponse:
    """Answer a query of a service account; a session is not looked at, so no other site can ask."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return problem(401, "send `Authorization: Bearer` with a token whose scope is `audit:read`")
    caller = bearer(request, token.strip())
    if caller is None:
        return invalid_token("this token is unknown, revoked or expired; issue another one in the console")
    if SCOPE not in caller.permissions:
        return insufficient_scope(SCOPE)
    try:
        query = Query.read(_said(request), timezone.now())
    except QueryError as error:
        return problem(422, str(error), **error.more)
    return JsonResponse(_answer(caller, query))


def _said(request: HttpRequest) -> dict[str, Any]:
    if request.method == "GET":
        return Query.fields_of(request.GET)
    try:
        length = int(request.headers.get("Content-Length") or 0)
    except ValueError:
        length = 0
    if length > MOST_BYTES:
        message = f"a query has at most {MOST_BYTES} bytes"
        raise QueryError(message)
    try:
        said = json.loads(request.body or b"{}")
    except (ValueError, RecursionError) as error:
        message = f'the body is not JSON ({error}); send one such as {{"timeRange": "last_24_hours"}}'
        raise QueryError(message) from None
    if not isinstance(said, dict):
        message = 'the body is no JSON object; send one such as {"timeRange": "last_24_hours"}'
        raise QueryError(message)
    return said


def _answer(caller: Actor, query: Query) -> dict[str, Any]:
    waiting = index.index_new() + take_new()
    stats = node.stats()
    with transaction.atomic():
        # While this is held, no segment goes from one side of the sum to the other.
        Progress.objects.select_for_update().get(pk=1)
        # First of all: what is answered covers the entry that says that it was asked.
        record(caller, "audit.queried", "audit log", after=query.text)
        report = Report(query.span, query.metrics)
        found = report.exceptions(query.metrics, query.before, query.limit + 1)
        rows, following = page_of(found, query.limit, lambda one: cursor(place(one)))
        start, end = query.span.texts
        missing = gaps(query.span, tail.seen(), waiting, stats)
        first = name_of(FIRST)
        return {
            "timeRange": {"asked": query.asked, "from": start, "to": end},
            "metrics": [metric.name for metric in query.metrics],
            "totals": {metric.name: report.total(metric) for metric in query.metrics},
            "series": {
                "step_seconds": query.span.step,
                "points": {
                    metric.name: [
                        {"at": text_of(at), "count": count} for at, count in report.series(metric).items()
                    ]
                    for metric in query.metrics
                },
            },
            "breakdown": {metric.name: report.breakdown(metric) for metric in query.metrics},
            "exceptions": [_exception(one, first) for one in rows],
            "cursor": following,
            "actions": [row.entry.model_dump(exclude={"v"}) for row in _actions(report, query)],
            "completeness": {"complete": not missing, "gaps": missing},
            "checkpoint": checkpoint().model_dump(),
        }


def _actions(report: Report, query: Query) -> list[Any]:
    """What people and automation did, newest first: also what they did about refusals that are asked for."""
    wanted = [report.entries(metric) for metric in query.metrics if metric.is_audit]
    if any(metric.alerts for metric in query.metrics):
        wanted.append(report.responses())
    rows = {row.seq: row for entries in wanted for row in entries.order_by("-seq")[: query.limit]}
    return sorted(rows.values(), key=lambda row: row.seq, reverse=True)[: query.limit]


def _exception(one: CallException, first: str) -> dict[str, Any]:
    return {
        "at": text_of(one.at / 1_000_000),
        "node": one.node or first,
        "request": one.request,
        "alert": one.alert or None,
        "reason": one.code,
        "rule": one.rule or None,
        "api": one.api or None,
        "route": one.route or None,
        "application": one.application or None,
        "source": one.source or None,
        "method": one.method,
        "path": one.path,
        "status": one.status,
        "revision": one.revision,
    }
