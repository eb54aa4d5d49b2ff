"""How many calls there were, and how they went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lockgate.control.analytics.queries.query import CALLS, Query
from lockgate.control.analytics.tables import HISTOGRAM


@dataclass(frozen=True)
class Summary:
    """Calls of the whole span."""

    calls: int
    exceptions: int
    """Refused by a policy or failed by a service."""
    refused: int
    failed: int
    """Answered with 5xx."""
    cached: int
    applications: int
    bytes_in: int
    bytes_out: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True)
class TrafficSummary(Query[Summary]):
    """The whole span in one row."""

    name: ClassVar = "traffic_summary"
    what: ClassVar = "calls, exceptions, failures, bytes and latency of the whole span"
    row: ClassVar = Summary
    text: ClassVar = f"""
SELECT n, bad, no, broken, hits, callers, came, went,
  quantile_ms(h, 0.5), quantile_ms(h, 0.95), quantile_ms(h, 0.99)
FROM (
  SELECT coalesce(sum(calls), 0) AS n, coalesce(sum(exceptions), 0) AS bad, coalesce(sum(refused), 0) AS no,
    coalesce(sum(failed), 0) AS broken, coalesce(sum(cached), 0) AS hits,
    count(DISTINCT application) FILTER (WHERE application <> '') AS callers,
    coalesce(sum(bytes_in), 0) AS came, coalesce(sum(bytes_out), 0) AS went, {HISTOGRAM} AS h
  FROM calls WHERE {CALLS}
)"""


@dataclass(frozen=True)
class Point:
    """Calls from a second to the next point."""

    second: int
    calls: int
    exceptions: int
    refused: int
    failed: int
    bytes_in: int
    bytes_out: int


@dataclass(frozen=True)
class TrafficOverTime(Query[Point]):
    """Calls along the span; a point without any is left out."""

    name: ClassVar = "traffic_over_time"
    what: ClassVar = "calls, exceptions, failures and bytes along the span"
    row: ClassVar = Point
    text: ClassVar = f"""
SELECT intDiv(second, $step) * $step AS point, sum(calls), sum(exceptions), sum(refused), sum(failed),
  sum(bytes_in), sum(bytes_out)
FROM series WHERE {CALLS} GROUP BY point ORDER BY point"""


@dataclass(frozen=True)
class Share:
    """Calls of one name, and how they went."""

    value: str
    calls: int
    exceptions: int
    failed: int
    bytes_out: int
    p95_ms: float | None


_SHARE = f"""sum(calls) AS n, sum(exceptions) AS bad, sum(failed) AS broken, sum(bytes_out) AS went,
    {HISTOGRAM} AS h"""
_SHOWN = "n, bad, broken, went, quantile_ms(h, 0.95)"


@dataclass(frozen=True)
class TrafficByApi(Query[Share]):
    """Calls by API; those that no API took are called by the empty name."""

    name: ClassVar = "traffic_by_api"
    what: ClassVar = "calls by API, the most called first"
    row: ClassVar = Share
    text: ClassVar = f"""
SELECT api, {_SHOWN}
FROM (SELECT api, {_SHARE} FROM calls WHERE {CALLS} GROUP BY api ORDER BY n DESC, api LIMIT $limit)
ORDER BY n DESC, api"""


@dataclass(frozen=True)
class TrafficByApplication(Query[Share]):
    """Calls by application; those of nobody known are called by the empty name."""

    name: ClassVar = "traffic_by_application"
    what: ClassVar = "calls by application, the busiest first"
    row: ClassVar = Share
    text: ClassVar = f"""
SELECT application, {_SHOWN}
FROM (
  SELECT application, {_SHARE} FROM calls WHERE {CALLS}
  GROUP BY application ORDER BY n DESC, application LIMIT $limit
)
ORDER BY n DESC, application"""


@dataclass(frozen=True)
class TrafficByRoute(Query[Share]):
    """Calls by route, written as API, version and route."""

    name: ClassVar = "traffic_by_route"
    what: ClassVar = "calls by route, the most called first"
    row: ClassVar = Share
    text: ClassVar = f"""
SELECT named, {_SHOWN}
FROM (
  SELECT api || '/' || api_version || '/' || route AS named, {_SHARE}
  FROM calls WHERE {CALLS} AND route <> ''
  GROUP BY named ORDER BY n DESC, named LIMIT $limit
)
ORDER BY n DESC, named"""


@dataclass(frozen=True)
class Status:
    """Calls that were answered with a status; 0 when the caller left before."""

    status: int
    calls: int


@dataclass(frozen=True)
class TrafficByStatus(Query[Status]):
    """Calls by the status of the answer."""

    name: ClassVar = "traffic_by_status"
    what: ClassVar = "calls by the status of their answer"
    row: ClassVar = Status
    text: ClassVar = f"""
SELECT status, sum(calls) AS n FROM statuses WHERE {CALLS}
GROUP BY status ORDER BY n DESC, status LIMIT $limit"""


@dataclass(frozen=True)
class HourOfWeek:
    """Calls of an hour of the week, each week's together; 0 is Monday at midnight, UTC."""

    hour: int
    calls: int
    weeks: int
    """In how many weeks that hour had calls."""


@dataclass(frozen=True)
class TrafficByHourOfWeek(Query[HourOfWeek]):
    """When in the week calls come."""

    name: ClassVar = "traffic_by_hour_of_week"
    what: ClassVar = "calls by the hour of the week, UTC"
    row: ClassVar = HourOfWeek
    # The epoch began on a Thursday.
    text: ClassVar = f"""
SELECT (intDiv(second, 3600) + 72) % 168 AS hour, sum(calls), count(DISTINCT intDiv(second, 604800))
FROM series WHERE {CALLS} GROUP BY hour ORDER BY hour"""
