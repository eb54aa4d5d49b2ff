"""What each page of analytics shows: which queries as charts, which as tables, and their columns."""

from __future__ import annotations

from typing import Final

from lockgate.control.analytics.columns import (
    API,
    APPLICATION,
    CALLS,
    EXCEPTIONS,
    FAILED,
    LAST,
    NODE,
    OUT,
    P95,
    REASON,
    ROUTE,
    SOURCE,
    VERSION,
    Column,
    Leads,
    Page,
    Table,
)
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
from lockgate.control.analytics.queries.nodes import ExceptionsByNode, TrafficByNode
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
from lockgate.control.analytics.shown_models import MODELS

_NO_CALLS: Final = "No calls fit in this time. Choose a longer one, or fewer filters."


def _shares(title: str, to: Leads) -> tuple[Column, ...]:
    return (Column("value", title, "text", to), CALLS, EXCEPTIONS, FAILED, OUT, P95)


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
            Table(TrafficByStatus, "By status", (Column("status", "Status"), CALLS), _NO_CALLS),
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
                    CALLS,
                    Column("codes", "Reasons", "codes"),
                ),
                "Nothing was refused and nothing failed in this time.",
            ),
            Table(
                ExceptionsByReason,
                "By reason",
                (REASON, CALLS, Column("applications", "Applications"), Column("apis", "APIs"), LAST),
                "Nothing was refused and nothing failed in this time.",
            ),
            Table(
                ExceptionsByApplication,
                "By application",
                (APPLICATION, API, ROUTE, REASON, CALLS, LAST),
                "No call of an application was refused in this time.",
            ),
            Table(
                LimitPressure,
                "Beyond limits, quotas and budgets",
                (
                    APPLICATION,
                    API,
                    REASON,
                    Column("beyond", "Beyond"),
                    CALLS,
                    Column("share", "Share", "share"),
                ),
                "No application went beyond a limit, a quota or a budget in this time.",
            ),
            Table(
                ShadowRefusals,
                "Would be refused by policies in shadow",
                (
                    REASON,
                    CALLS,
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
                    API,
                    VERSION,
                    ROUTE,
                    CALLS,
                    Column("p50_ms", "p50", "ms"),
                    P95,
                    Column("p99_ms", "p99", "ms"),
                    Column("upstream_share", "In the service", "share"),
                ),
                _NO_CALLS,
            ),
            Table(
                ErrorsByRoute,
                "Failures by route",
                (API, VERSION, ROUTE, Column("status", "Status"), REASON, FAILED, LAST),
                "No call was answered with 5xx in this time.",
            ),
            Table(
                ErrorsByTarget,
                "Failures by target",
                (
                    Column("upstream", "Upstream", "text"),
                    Column("target", "Target", "text"),
                    CALLS,
                    FAILED,
                    Column("retried", "Tried again"),
                ),
                "No service was asked in this time.",
            ),
            Table(
                CacheByRoute,
                "Answered from the cache",
                (
                    API,
                    VERSION,
                    ROUTE,
                    CALLS,
                    Column("cached", "Cached"),
                    Column("share", "Share", "share"),
                    P95,
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
                (APPLICATION, API, VERSION, CALLS, EXCEPTIONS, FAILED, OUT, P95, LAST),
                "No application that is known called in this time.",
            ),
            Table(
                VersionUsage,
                "Versions",
                (API, VERSION, CALLS, EXCEPTIONS, Column("applications", "Applications"), LAST),
                _NO_CALLS,
            ),
            Table(
                VersionCallers,
                "Who calls which version",
                (APPLICATION, API, VERSION, ROUTE, CALLS, LAST),
                _NO_CALLS,
            ),
        ),
    ),
    MODELS,
    Page(
        "sources",
        "Sources",
        "exceptions:read",
        (),
        (
            Table(TopSources, "Who calls most", SOURCE, _NO_CALLS),
            Table(
                TopRefusedSources,
                "Whose calls are refused most",
                SOURCE,
                "Nothing was refused in this time.",
            ),
            Table(TopSourcesByBytes, "Who takes most data", SOURCE, _NO_CALLS),
            Table(
                ApplicationNetworks,
                "Networks of applications",
                (
                    APPLICATION,
                    Column("network", "Network", "text"),
                    CALLS,
                    EXCEPTIONS,
                    Column("first_second", "First", "time"),
                    LAST,
                ),
                "No application that is known called in this time.",
            ),
        ),
        filters=(),
        summary="",
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
                    CALLS,
                    Column("exception_share", "Exceptions", "share"),
                    Column("failure_share", "Failed", "share"),
                    Column("p50_ms", "p50", "ms"),
                    P95,
                    Column("first_second", "First", "time"),
                    LAST,
                ),
                _NO_CALLS,
            ),
            Table(
                RevisionReasons,
                "Why each refused",
                (
                    Column("revision", "Revision", "revision"),
                    REASON,
                    CALLS,
                    Column("share", "Of its calls", "share"),
                ),
                "Nothing was refused in this time.",
            ),
        ),
    ),
    Page(
        "nodes",
        "Nodes",
        "traffic:read",
        (),
        (
            Table(
                TrafficByNode,
                "By node",
                (NODE, CALLS, EXCEPTIONS, Column("refused", "Refused"), FAILED, OUT, P95, LAST),
                _NO_CALLS,
            ),
            Table(
                ExceptionsByNode,
                "Why each refused",
                (NODE, REASON, CALLS, Column("share", "Of all nodes", "share"), LAST),
                "Nothing was refused and nothing failed in this time.",
            ),
        ),
        filters=("node", "api", "application"),
        summary="",
    ),
)
BY_NAME: Final = {page.name: page for page in PAGES}
