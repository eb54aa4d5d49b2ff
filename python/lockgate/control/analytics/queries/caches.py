"""What the cache of the gateway saves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lockgate.control.analytics.queries.query import CALLS, Query
from lockgate.control.analytics.tables import HISTOGRAM


@dataclass(frozen=True)
class CacheCount:
    """How many calls of a route no service was asked for."""

    api: str
    api_version: str
    route: str
    calls: int
    cached: int
    share: float
    p95_ms: float | None


@dataclass(frozen=True)
class CacheByRoute(Query[CacheCount]):
    """Answers out of the cache by route."""

    name: ClassVar = "cache_by_route"
    what: ClassVar = "calls that were answered without asking a service, by route"
    row: ClassVar = CacheCount
    text: ClassVar = f"""
SELECT api, api_version, route, sum(calls) AS n, sum(cached) AS hits, sum(cached) / sum(calls),
  quantile_ms({HISTOGRAM}, 0.95)
FROM counted WHERE {CALLS} AND route <> '' AND code = ''
GROUP BY api, api_version, route HAVING sum(cached) > 0
ORDER BY hits DESC, route LIMIT $limit"""


@dataclass(frozen=True)
class CachePoint:
    """Answers out of the cache from a second to the next point."""

    second: int
    calls: int
    cached: int


@dataclass(frozen=True)
class CacheOverTime(Query[CachePoint]):
    """Answers out of the cache along the span."""

    name: ClassVar = "cache_over_time"
    what: ClassVar = "calls that were answered without asking a service, along the span"
    row: ClassVar = CachePoint
    text: ClassVar = f"""
SELECT second // $step * $step AS point, sum(calls), sum(cached)
FROM counted WHERE {CALLS} AND code = '' GROUP BY point ORDER BY point"""
