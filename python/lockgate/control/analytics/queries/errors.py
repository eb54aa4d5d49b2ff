"""What services failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lockgate.control.analytics.queries.query import CALLS, Query


@dataclass(frozen=True)
class Failures:
    """Failed calls from a second to the next point."""

    second: int
    calls: int
    failed: int


@dataclass(frozen=True)
class ErrorsOverTime(Query[Failures]):
    """Failed calls along the span."""

    name: ClassVar = "errors_over_time"
    what: ClassVar = "calls that were answered with 5xx, along the span"
    row: ClassVar = Failures
    text: ClassVar = f"""
SELECT intDiv(second, $step) * $step AS point, sum(calls), sum(failed)
FROM series WHERE {CALLS} GROUP BY point ORDER BY point"""


@dataclass(frozen=True)
class RouteFailures:
    """Failed calls of a route by status and reason."""

    api: str
    api_version: str
    route: str
    status: int
    code: str
    """Empty when the service itself answered so."""
    failed: int
    last_second: int


@dataclass(frozen=True)
class ErrorsByRoute(Query[RouteFailures]):
    """Failed calls by route."""

    name: ClassVar = "errors_by_route"
    what: ClassVar = "calls that were answered with 5xx by route, status and reason"
    row: ClassVar = RouteFailures
    text: ClassVar = f"""
SELECT api, api_version, route, status, code, sum(failed) AS n, max(last_second)
FROM reasons WHERE {CALLS} AND failed > 0
GROUP BY ALL ORDER BY n DESC, api, api_version, route, status, code LIMIT $limit"""


@dataclass(frozen=True)
class TargetFailures:
    """How a member of an upstream did."""

    upstream: str
    target: str
    calls: int
    failed: int
    retried: int


@dataclass(frozen=True)
class ErrorsByTarget(Query[TargetFailures]):
    """Failed and retried calls by member of an upstream."""

    name: ClassVar = "errors_by_target"
    what: ClassVar = "calls, failures and further tries by member of an upstream"
    row: ClassVar = TargetFailures
    text: ClassVar = f"""
SELECT upstream, target, sum(calls) AS n, sum(failed) AS bad, sum(retried)
FROM targets WHERE {CALLS} GROUP BY upstream, target
ORDER BY bad DESC, n DESC, upstream, target LIMIT $limit"""
