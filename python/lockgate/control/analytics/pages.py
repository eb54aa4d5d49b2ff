"""The pages of analytics. Everything is in the address: they work without a script, and can be passed on."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

from lockgate.control import node
from lockgate.control.accounts.people import actor_of
from lockgate.control.analytics import budgets, drawn, shown, tail
from lockgate.control.analytics.charts import compact
from lockgate.control.analytics.forms import SpanFilter
from lockgate.control.analytics.money import UNKNOWN, dollars, unpriced
from lockgate.control.analytics.queries.models import ModelsSummary
from lockgate.control.analytics.queries.traffic import TrafficSummary
from lockgate.control.analytics.relations import at_once
from lockgate.control.analytics.waiting import waiting
from lockgate.control.console.permitted import permitted
from lockgate.control.console.reasons import reason
from lockgate.control.console.templatetags.told import in_code, shortly
from lockgate.control.events import index
from lockgate.control.events.completeness import gaps
from lockgate.control.events.times import last, moment
from lockgate.control.portal.served import read_catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from lockgate.control.analytics.columns import Column, Kind, Page, Table
    from lockgate.control.events.times import Span

ROWS: Final = 25
MOST_GAPS: Final = 20
_DEFAULT: Final = "last_24_hours"
_NUMBERS: Final = frozenset({"number", "ms", "share", "bytes", "money"})
_WRITTEN: Final[dict[Kind, Callable[[Any], str]]] = {
    "text": str,
    "number": lambda value: f"{value:,}",
    "ms": lambda value: f"{compact(value)} ms",
    "share": lambda value: f"{100 * value:.1f} %",
    "bytes": lambda value: f"{compact(value)}B",
    "money": dollars,
    "day": lambda value: f"{moment(value):%Y-%m-%d}",
    "time": lambda value: f"{moment(value):%Y-%m-%d %H:%M}",
    "code": lambda value: reason(value).title,
    "codes": ", ".join,
    "revision": shortly,
    "remedy": in_code,
}
"""How values are written, by the kind of their column."""


@dataclass(frozen=True)
class Cell:
    """A value as it is shown."""

    text: str
    link: str = ""
    sort: str = ""
    """How it is set: `number`, `nowrap` or as text."""
    hint: str = ""

    @property
    def html(self) -> str:
        """As a cell of a table. Whatever it says comes from callers, so all of it is escaped."""
        # What is marked as safe was escaped where it was made.
        said = conditional_escape(self.text)
        text = f'<a href="{escape(self.link)}">{said}</a>' if self.link else said
        sort = f' class="{self.sort}"' if self.sort else ""
        hint = f' title="{escape(self.hint)}"' if self.hint else ""
        return f"<td{sort}{hint}>{text}</td>"


@dataclass(frozen=True)
class Heading:
    """A column's heading, and where its order is asked for."""

    title: str
    link: str
    order: str
    """`ascending` or `descending` when the table is in its order."""
    is_number: bool


@dataclass(frozen=True)
class Shown:
    """A table as it is shown."""

    name: str
    title: str
    headings: list[Heading]
    rows: SafeString
    """Empty when there are none. A template takes far longer for hundreds of cells."""
    none: str
    export: str


@permitted("traffic:read")
def page(request: HttpRequest, name: str = "traffic") -> HttpResponse:
    """A page: charts, tables that sort, and what is not known of the time."""
    found = shown.BY_NAME.get(name)
    if found is None:
        raise Http404
    permissions = actor_of(request).permissions
    if found.permission not in permissions:
        raise PermissionDenied(found.permission)
    form = SpanFilter(request.GET)
    given = form.cleaned_data if form.is_valid() else {}
    span = last(given.get("range") or _DEFAULT, timezone.now())
    asked: dict[str, Any] = {key: given.get(key, "") for key in found.filters}
    with at_once():
        context = _context(request, found, form, span, asked)
    return render(request, "analytics/page.html", context)


def _context(
    request: HttpRequest, found: Page, form: SpanFilter, span: Span, asked: dict[str, Any]
) -> dict[str, Any]:
    chosen = urlencode({"range": form.cleaned_data.get("range") or _DEFAULT, **_set(asked)})
    permissions = actor_of(request).permissions
    sort = request.GET.get("sort", "")
    return {
        "page": found,
        "pages": [one for one in shown.PAGES if one.permission in permissions],
        "form": form.only(found.filters),
        "query": chosen,
        "is_filtered": bool(_set(asked)),
        "summary": _SUMMARIES[found.summary](span, asked) if found.summary else None,
        "charts": [drawn.chart(one, span, **asked) for one in found.charts],
        "budgets": _budgets() if found.summary == "models" else None,
        "tables": [
            _table(request, table, span, asked, sort, leads="exceptions:read" in permissions)
            for table in found.tables
            if table.takes(asked)
        ],
        "gaps": gaps(span, tail.seen(), waiting().count(), node.stats(), is_for_people=True)[:MOST_GAPS],
        "records": index.folder() is not None,
        "from": moment(span.start),
        "to": moment(span.end),
    }


Cards = list[tuple[str, str, str]]
"""Titles, values, and what is said of them."""


def _of_calls(span: Span, asked: dict[str, Any]) -> Cards:
    summary = TrafficSummary(span=span, **asked).run()[0]
    return [
        ("Calls", f"{summary.calls:,}", ""),
        ("Exceptions", f"{summary.exceptions:,}", _share(summary.exceptions, summary.calls)),
        ("Failed", f"{summary.failed:,}", _share(summary.failed, summary.calls)),
        ("Without a service", f"{summary.cached:,}", _share(summary.cached, summary.calls)),
        ("Applications", f"{summary.applications:,}", ""),
        ("Latency p50 / p95", _two(summary.p50_ms, summary.p95_ms), "ms"),
    ]


def _of_models(span: Span, asked: dict[str, Any]) -> Cards:
    summary = ModelsSummary(span=span, **asked).run()[0]
    cost = UNKNOWN if summary.cost is None else dollars(summary.cost)
    others = f"and {unpriced(summary.unpriced)}" if summary.unpriced and summary.cost is not None else ""
    thought = f"{compact(summary.reasoning_tokens)} of reasoning" if summary.reasoning_tokens else ""
    return [
        ("Calls", f"{summary.calls:,}", ""),
        ("Cost", cost, others),
        ("Tokens in / out", f"{compact(summary.input_tokens)} / {compact(summary.output_tokens)}", thought),
        ("Errors", f"{summary.unanswered:,}", _share(summary.unanswered, summary.calls)),
        ("Broke off", f"{summary.partial:,}", _share(summary.partial, summary.calls)),
        ("First token p50 / p95", _two(summary.p50_ms, summary.p95_ms), "ms"),
    ]


_SUMMARIES: Final = {"calls": _of_calls, "models": _of_models}


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def _two(half: float | None, most: float | None) -> str:
    return f"{compact(half)} / {compact(most)}" if half is not None and most is not None else "-"


def _budgets() -> dict[str, Any]:
    """Budgets and limits of tokens, with who has used what of each."""
    catalogue = read_catalogue()
    found = budgets.spent(catalogue, timezone.now())
    return {"rows": found[:ROWS], "more": max(0, len(found) - ROWS), "untold": budgets.untold(catalogue)}


def _table(
    request: HttpRequest, table: Table, span: Span, asked: dict[str, Any], sort: str, *, leads: bool
) -> Shown:
    name = table.query.name
    known = {field: value for field, value in asked.items() if field in table.query.parameters()}
    rows = table.query(span=span, limit=ROWS, **known).run()
    of, _, wanted = sort.rpartition(".")
    field, is_down = wanted.removeprefix("-"), wanted.startswith("-")
    fields = [column.field for column in table.columns]
    is_sorted = of == name and field in fields
    if is_sorted:
        rows = sorted(rows, key=lambda row: _order(getattr(row, field)), reverse=is_down)
    headings = []
    for column in table.columns:
        is_this = is_sorted and column.field == field
        is_number = column.kind in _NUMBERS
        # Numbers are asked for by their largest first; the second time the other way round.
        down = not is_down if is_this else is_number
        parameters = request.GET.copy()
        parameters["sort"] = f"{name}.{'-' if down else ''}{column.field}"
        order = ("descending" if is_down else "ascending") if is_this else ""
        headings.append(Heading(column.title, f"?{parameters.urlencode()}#{name}", order, is_number))
    written = (
        "".join(_cell(column, getattr(row, column.field), leads=leads).html for column in table.columns)
        for row in rows
    )
    cells = mark_safe("\n".join(f"<tr>{row}</tr>" for row in written))  # noqa: S308 - cells escape
    return Shown(name, table.title, headings, cells, table.none, _export(name, span, asked, table))


def _export(name: str, span: Span, asked: dict[str, Any], table: Table) -> str:
    start, end = span.texts
    known = table.query.parameters()
    parameters = {key: value for key, value in _set(asked).items() if key in known}
    most = {"limit": 1_000} if "limit" in known else {}
    query = urlencode({"from": start, "to": end, **parameters, **most})
    return f"{reverse('admin-api:run_query', args=[name])}?{query}"


def _cell(column: Column, value: Any, *, leads: bool) -> Cell:  # noqa: ANN401 - a field of a row
    sort = "number" if column.kind in _NUMBERS else "nowrap" if column.kind in {"time", "day"} else ""
    if value is None or value in {"", ()}:
        return Cell(column.none, sort=sort)
    is_link = leads and column.to
    link = f"{reverse('exceptions')}?{urlencode({str(column.to): value})}" if is_link else ""
    hint = str(value) if column.kind in {"bytes", "code", "revision"} else ""
    return Cell(_WRITTEN[column.kind](value), link, sort, hint)


def _order(value: Any) -> tuple[bool, Any]:  # noqa: ANN401 - a field of a row
    return value is not None, value


def _set(asked: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in asked.items() if value}
