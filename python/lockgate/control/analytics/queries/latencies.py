"""How long answers took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lockgate.control.analytics.queries.query import CALLS, Query
from lockgate.control.analytics.tables import HISTOGRAM

_THREE = ", ".join(f"quantile_ms(h, {q})" for q in (0.5, 0.95, 0.99))


@dataclass(frozen=True)
class Latency:
    """Latencies from a second to the next point, in milliseconds."""

    second: int
    calls: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True)
class LatencyOverTime(Query[Latency]):
    """Latencies along the span."""

    name: ClassVar = "latency_over_time"
    what: ClassVar = "latency percentiles along the span"
    row: ClassVar = Latency
    text: ClassVar = f"""
SELECT point, n, {_THREE}
FROM (
  SELECT intDiv(second, $step) * $step AS point, sum(calls) AS n, {HISTOGRAM} AS h
  FROM series WHERE {CALLS} GROUP BY point
)
ORDER BY point"""


@dataclass(frozen=True)
class RouteLatency:
    """Latencies of a route, and what share of the time its service took."""

    api: str
    api_version: str
    route: str
    calls: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    upstream_share: float | None
    """Of the time that calls took, from 0 to 1; the rest is the gateway's, and the caller's line."""


@dataclass(frozen=True)
class LatencyByRoute(Query[RouteLatency]):
    """Latencies by route."""

    name: ClassVar = "latency_by_route"
    what: ClassVar = "latency percentiles by route, the slowest first"
    row: ClassVar = RouteLatency
    text: ClassVar = f"""
SELECT api, api_version, route, n, {_THREE}, share
FROM (
  SELECT api, api_version, route, sum(calls) AS n, sum(upstream_us) / nullif(sum(latency_us), 0) AS share,
    {HISTOGRAM} AS h
  FROM calls WHERE {CALLS} AND route <> '' GROUP BY api, api_version, route
)
ORDER BY 6 DESC NULLS LAST, api, api_version, route LIMIT $limit"""


@dataclass(frozen=True)
class SlowCall:
    """A single call that took long."""

    micros: int
    id: str
    api: str
    route: str
    application: str
    method: str
    path: str
    status: int
    latency_ms: float
    upstream_ms: float


@dataclass(frozen=True)
class SlowestCalls(Query[SlowCall]):
    """The slowest single calls."""

    name: ClassVar = "slowest_calls"
    what: ClassVar = "the single calls that took longest"
    row: ClassVar = SlowCall
    text: ClassVar = f"""
SELECT micros, id, api, route, application, method, path, status, latency_us / 1000, upstream_us / 1000
FROM events WHERE {CALLS} ORDER BY latency_us DESC, micros, id LIMIT $limit"""
