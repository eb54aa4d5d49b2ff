"""The admin API of analytics: the named queries, and exports for a SIEM."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from ninja import Router, Schema

from lockgate.control.analytics import budgets, ocsf, tail
from lockgate.control.analytics.queries import BY_NAME, QUERIES
from lockgate.control.analytics.taking import take_new
from lockgate.control.analytics.waiting import waiting
from lockgate.control.api.credentials import needs
from lockgate.control.audit.services import Actor, record
from lockgate.control.events.completeness import gaps
from lockgate.control.events.index import index_new
from lockgate.control.events.times import NAMED, Span, TimeError, between, last, read, text_of
from lockgate.control.portal.served import read_catalogue
from lockgate.control.problems import insufficient_scope, problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

router = Router(tags=["analytics"])
MOST = 1_000
_SPAN = ("range", "from", "to")
_OF_SOURCES = {
    "top_sources",
    "top_refused_sources",
    "top_sources_by_bytes",
    "source_activity",
    "application_networks",
    "slowest_calls",
}
"""Queries that name callers' addresses or single calls."""


class QueryOut(Schema):
    """A named query."""

    name: str
    what: str
    parameters: list[str]
    """Filters that it takes, beside `range`, or `from` and `to`."""


class Answer(Schema):
    """What a query answers."""

    query: str
    start: str
    end: str
    rows: list[dict[str, Any]]
    gaps: list[dict[str, str]]
    """What is not known of the time."""


class BudgetOut(Schema):
    """What one caller has used of a budget or a limit of tokens, as recorded calls tell."""

    policy: str
    kind: str
    """`budget`: amounts are millionths of a US dollar; `token_limit`: tokens."""
    origin: str
    """Where the policy is declared."""
    mode: str
    by: str
    caller: str
    """The application, team or model that is counted."""
    used: int
    limit: int | None
    """Nothing when the caller's plan gives none."""
    left: int
    unknown: int
    """Calls that are not in it, because nobody knows what they took."""
    start: str
    end: str


@router.get("/budgets", response=list[BudgetOut], auth=needs("traffic:read"))
def list_budgets(request: HttpRequest) -> list[dict[str, Any]]:  # noqa: ARG001
    """Budgets and limits of tokens now, each with who has used what of it, the nearest to its end first."""
    return [
        {
            "policy": one.purse.id,
            **{name: getattr(one.purse, name) for name in ("kind", "origin", "mode", "by")},
            **{name: getattr(one, name) for name in ("caller", "used", "limit", "left", "unknown")},
            "start": text_of(one.window.start),
            "end": text_of(one.window.end),
        }
        for one in budgets.spent(read_catalogue(), timezone.now())[:MOST]
    ]


@router.get("/queries", response=list[QueryOut], auth=needs("traffic:read"))
def queries(request: HttpRequest) -> list[dict[str, Any]]:  # noqa: ARG001
    """The named queries and what each takes."""
    return [{"name": one.name, "what": one.what, "parameters": one.parameters()} for one in QUERIES]


@router.get("/queries/{name}", response=Answer, auth=needs("traffic:read"), url_name="run_query")
def run_query(request: HttpRequest, name: str) -> HttpResponse | dict[str, Any]:
    """Ask a named query; `range` is a name such as `last_24_hours`, else send `from` and `to`."""
    query = BY_NAME.get(name)
    if query is None:
        return problem(404, f"there is no query `{name[:64]}`", allowed=list(BY_NAME))
    if name in _OF_SOURCES and "exceptions:read" not in _caller(request).permissions:
        return insufficient_scope("exceptions:read")
    known = [*_SPAN, *query.parameters()]
    if unknown := [one for one in request.GET if one not in known]:
        return problem(422, f"`{name}` takes no `{unknown[0][:64]}`", allowed=known)
    asked: dict[str, Any] = {one: request.GET[one] for one in query.parameters() if one in request.GET}
    for number, most in (("limit", MOST), ("step", 86_400)):
        text = asked.get(number)
        if text is not None:
            if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= most):
                return problem(422, f"`{number}` is a number from 1 to {most}", field=number)
            asked[number] = int(text)
    try:
        span = _span(request)
    except TimeError as error:
        return problem(422, str(error), allowed=list(NAMED))
    rows = query(span=span, **asked).run()
    start, end = span.texts
    missing = gaps(span, tail.seen(), waiting().count(), None)
    return {"query": name, "start": start, "end": end, "rows": [asdict(row) for row in rows], "gaps": missing}


@router.get("/events.ndjson", auth=needs("exceptions:read"), url_name="export_events")
def export_events(request: HttpRequest, kind: str = "api_activity") -> HttpResponse | StreamingHttpResponse:
    """Events of a span as OCSF, one a line: `api_activity`, `http_activity` or `detection_finding`."""
    if kind not in ocsf.KINDS:
        return problem(422, f"there is no kind `{kind[:64]}`", field="kind", allowed=list(ocsf.KINDS))
    try:
        span = _span(request)
    except TimeError as error:
        return problem(422, str(error), allowed=list(NAMED))
    index_new()
    take_new()
    start, end = span.texts
    record(_caller(request), "audit.exported", f"events as OCSF {kind}", after=f"from {start} to {end}")
    answer = StreamingHttpResponse(_in_pieces(ocsf.lines(kind, span)), content_type="application/x-ndjson")
    answer.headers["Content-Disposition"] = f'attachment; filename="{kind}.ndjson"'
    return answer


async def _in_pieces(lines: Iterator[bytes], most: int = 1_000) -> AsyncIterator[bytes]:
    """The lines, a batch at a time: an export is never whole in memory."""
    take = sync_to_async(lambda: b"".join(islice(lines, most)))
    while piece := await take():
        yield piece


def _span(request: HttpRequest) -> Span:
    given = request.GET
    if "from" in given or "to" in given:
        if "range" in given or "from" not in given or "to" not in given:
            message = "send `range`, or both `from` and `to`"
            raise TimeError(message)
        return between(read(given["from"]), read(given["to"]))
    return last(given.get("range", "last_24_hours"), timezone.now())


def _caller(request: HttpRequest) -> Actor:
    # Ninja puts there what the credential gave.
    return cast("Actor", vars(request)["auth"])
