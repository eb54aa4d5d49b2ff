"""What each page of analytics shows: which queries as charts, which as tables, and their columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from lockgate.control.analytics.queries.applications import ApplicationUsage, LimitPressure
from lockgate.control.analytics.queries.caches import CacheByRoute
from lockgate.control.analytics.queries.errors import ErrorsByRoute, ErrorsByTarget
from lockgate.control.analytics.queries.exceptions import (
    ExceptionsByApplication,
    ExceptionsByReason,
    ExceptionsByRemedy,
    ShadowRefusals,
)
from lockgate.control.analytics.queries.latencies import LatencyByRoute
from lockgate.control.analytics.queries.revisions import RevisionComparison, RevisionReasons
from lockgate.control.analytics.queries.sources import (
    ApplicationNetworks,
    TopRefusedSources,
    TopSources,
    TopSourcesByBytes,
)
from lockgate.control.analytics.queries.traffic import (
    TrafficByApi,
    TrafficByApplication,
    TrafficByRoute,
    TrafficByStatus,
)
from lockgate.control.analytics.queries.versions import VersionCallers, VersionUsage

if TYPE_CHECKING:
    from lockgate.control.analytics.queries.query import Query

Kind = Literal["text", "number", "ms", "share", "bytes", "time", "code", "codes", "revision", "remedy"]
Leads = Literal["", "api", "application", "source", "code"]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        field: Of the query's row.
        title: Its heading.
        kind: How its values are written.
        to: Which filter of the exceptions its values lead to.
    """

    field: str
    title: str
    kind: Kind = "number"
    to: Leads = ""


@dataclass(frozen=True)
class Table:
    """A query as a table; `none` teaches when there is nothing."""

    query: type[Query[Any]]
    title: str
    columns: tuple[Column, ...]
    none: str


@dataclass(frozen=True)
class Page:
    """A page of analytics."""

    name: str
    title: str
    permission: str
    charts: tuple[str, ...]
    tables: tuple[Table, ...]
    filters: tuple[str, ...] = ("api", "application")


_CALLS: Final = Column("calls", "Calls")
_EXCEPTIONS: Final = Column("exceptions", "Exceptions")
_FAILED: Final = Column("failed", "Failed")
_OUT: Final = Column("bytes_out", "Bytes out", "bytes")
_P95: Final = Column("p95_ms", "p95", "ms")
_API: Final = Column("api", "API", "text", "api")
_VERSION: Final = Column("api_version", "Version", "text")
_ROUTE: Final = Column("route", "Route", "text")
_APPLICATION: Final = Column("application", "Application", "text", "application")
_REASON: Final = Column("code", "Reason", "code", "code")
_LAST: Final = Column("last_second", "Last", "time")
_SOURCE: Final = (Column("source", "Source", "text", "source"), _CALLS, _EXCEPTIONS, _FAILED, _OUT, _LAST)
_NO_CALLS: Final = "No calls fit in this time. Choose a longer one, or fewer filters."


def _shares(title: str, to: Leads) -> tuple[Column, ...]:
    return (Column("value", title, "text", to), _CALLS, _EXCEPTIONS, _FAILED, _OUT, _P95)


PAGES: Final = (
    Page(
        "traffic",
        "Traffic",
        "traffic:read",
        ("traffic", "week"),
        (
            Table(TrafficByApi, "By API", _shares("API", "api"), _NO_CALLS),
            Table(TrafficByApplication, "By application", _shares("Application", "application"), _NO_CALLS),
            Table(TrafficByRoute, "By route", _shares("Route", ""), _NO_CALLS),
            Table(TrafficByStatus, "By status", (Column("status", "Status"), _CALLS), _NO_CALLS),
        ),
    ),
    Page(
        "refusals",
        "Refusals",
        "traffic:read",
        ("alerts",),
        (
            Table(
                ExceptionsByRemedy,
                "What would help",
                (
                    Column("remedy", "What callers can do", "remedy"),
                    _CALLS,
                    Column("codes", "Reasons", "codes"),
                ),
                "Nothing was refused and nothing failed in this time.",
            ),
            Table(
                ExceptionsByReason,
                "By reason",
                (_REASON, _CALLS, Column("applications", "Applications"), Column("apis", "APIs"), _LAST),
                "Nothing was refused and nothing failed in this time.",
            ),
            Table(
                ExceptionsByApplication,
                "By application",
                (_APPLICATION, _API, _ROUTE, _REASON, _CALLS, _LAST),
                "No call of an application was refused in this time.",
            ),
            Table(
                LimitPressure,
                "Beyond limits and quotas",
                (
                    _APPLICATION,
                    _API,
                    _REASON,
                    Column("beyond", "Beyond"),
                    _CALLS,
                    Column("share", "Share", "share"),
                ),
                "No application went beyond a limit or a quota in this time.",
            ),
            Table(
                ShadowRefusals,
                "Would be refused by policies in shadow",
                (
                    _REASON,
                    _CALLS,
                    Column("applications", "Applications"),
                    Column("named", "Such as", "codes"),
                ),
                "No policy in `mode: shadow` would have refused a call in this time.",
            ),
        ),
    ),
    Page(
        "latency",
        "Latency and failures",
        "traffic:read",
        ("latency", "failures"),
        (
            Table(
                LatencyByRoute,
                "By route",
                (
                    _API,
                    _VERSION,
                    _ROUTE,
                    _CALLS,
                    Column("p50_ms", "p50", "ms"),
                    _P95,
                    Column("p99_ms", "p99", "ms"),
                    Column("upstream_share", "In the service", "share"),
                ),
                _NO_CALLS,
            ),
            Table(
                ErrorsByRoute,
                "Failures by route",
                (_API, _VERSION, _ROUTE, Column("status", "Status"), _REASON, _FAILED, _LAST),
                "No call was answered with 5xx in this time.",
            ),
            Table(
                ErrorsByTarget,
                "Failures by target",
                (
                    Column("upstream", "Upstream", "text"),
                    Column("target", "Target", "text"),
                    _CALLS,
                    _FAILED,
                    Column("retried", "Tried again"),
                ),
                "No service was asked in this time.",
            ),
            Table(
                CacheByRoute,
                "Answered from the cache",
                (
                    _API,
                    _VERSION,
                    _ROUTE,
                    _CALLS,
                    Column("cached", "Cached"),
                    Column("share", "Share", "share"),
                    _P95,
                ),
                "No call was answered from the cache; a policy of kind `cache` lets the gateway do so.",
            ),
        ),
    ),
    Page(
        "usage",
        "Applications and versions",
        "traffic:read",
        ("traffic",),
        (
            Table(
                ApplicationUsage,
                "What applications use",
                (_APPLICATION, _API, _VERSION, _CALLS, _EXCEPTIONS, _FAILED, _OUT, _P95, _LAST),
                "No application that is known called in this time.",
            ),
            Table(
                VersionUsage,
                "Versions",
                (_API, _VERSION, _CALLS, _EXCEPTIONS, Column("applications", "Applications"), _LAST),
                _NO_CALLS,
            ),
            Table(
                VersionCallers,
                "Who calls which version",
                (_APPLICATION, _API, _VERSION, _ROUTE, _CALLS, _LAST),
                _NO_CALLS,
            ),
        ),
    ),
    Page(
        "sources",
        "Sources",
        "exceptions:read",
        (),
        (
            Table(TopSources, "Who calls most", _SOURCE, _NO_CALLS),
            Table(
                TopRefusedSources,
                "Whose calls are refused most",
                _SOURCE,
                "Nothing was refused in this time.",
            ),
            Table(TopSourcesByBytes, "Who takes most data", _SOURCE, _NO_CALLS),
            Table(
                ApplicationNetworks,
                "Networks of applications",
                (
                    _APPLICATION,
                    Column("network", "Network", "text"),
                    _CALLS,
                    _EXCEPTIONS,
                    Column("first_second", "First", "time"),
                    _LAST,
                ),
                "No application that is known called in this time.",
            ),
        ),
        (),
    ),
    Page(
        "revisions",
        "Revisions",
        "traffic:read",
        (),
        (
            Table(
                RevisionComparison,
                "Side by side",
                (
                    Column("revision", "Revision", "revision"),
                    _CALLS,
                    Column("exception_share", "Exceptions", "share"),
                    Column("failure_share", "Failed", "share"),
                    Column("p50_ms", "p50", "ms"),
                    _P95,
                    Column("first_second", "First", "time"),
                    _LAST,
                ),
                _NO_CALLS,
            ),
            Table(
                RevisionReasons,
                "Why each refused",
                (
                    Column("revision", "Revision", "revision"),
                    _REASON,
                    _CALLS,
                    Column("share", "Of its calls", "share"),
                ),
                "Nothing was refused in this time.",
            ),
        ),
    ),
)
BY_NAME: Final = {page.name: page for page in PAGES}
