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
SELECT api, api_version, route, n, hits, hits / n, quantile_ms(h, 0.95)
FROM (
  SELECT api, api_version, route, sum(calls) AS n, sum(cached) AS hits, {HISTOGRAM} AS h
  FROM calls WHERE {CALLS} AND route <> '' AND NOT is_exception
  GROUP BY api, api_version, route HAVING sum(cached) > 0
  ORDER BY hits DESC, api, api_version, route LIMIT $limit
)
ORDER BY hits DESC, api, api_version, route"""


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
SELECT intDiv(second, $step) * $step AS point, sum(calls) - sum(exceptions), sum(cached)
FROM series WHERE {CALLS} GROUP BY point HAVING sum(calls) > sum(exceptions) ORDER BY point"""
