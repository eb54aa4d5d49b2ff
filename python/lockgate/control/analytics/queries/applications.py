"""What applications use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lockgate.control.analytics.queries.query import CALLS, Query
from lockgate.control.analytics.tables import HISTOGRAM

_LIMITS = "'rate_limit', 'quota', 'concurrency', 'token_limit', 'budget'"


@dataclass(frozen=True)
class Usage:
    """What an application uses of a version of an API."""

    application: str
    api: str
    api_version: str
    calls: int
    exceptions: int
    failed: int
    bytes_in: int
    bytes_out: int
    p95_ms: float | None
    last_second: int


@dataclass(frozen=True)
class ApplicationUsage(Query[Usage]):
    """What applications use, by API and version."""

    name: ClassVar = "application_usage"
    what: ClassVar = "calls, exceptions, bytes and latency of applications by API and version"
    row: ClassVar = Usage
    text: ClassVar = f"""
SELECT application, api, api_version, n, bad, broken, came, went, quantile_ms(h, 0.95), latest
FROM (
  SELECT application, api, api_version, sum(calls) AS n, sum(exceptions) AS bad, sum(failed) AS broken,
    sum(bytes_in) AS came, sum(bytes_out) AS went, max(last_second) AS latest, {HISTOGRAM} AS h
  FROM calls WHERE {CALLS} AND application <> ''
  GROUP BY application, api, api_version ORDER BY n DESC, application, api, api_version LIMIT $limit
)
ORDER BY n DESC, application, api, api_version"""


@dataclass(frozen=True)
class Arrival:
    """When an application was first seen in the span."""

    application: str
    first_second: int
    last_second: int
    calls: int


@dataclass(frozen=True)
class ApplicationsSeen(Query[Arrival]):
    """Which applications called, the newest first."""

    name: ClassVar = "applications_seen"
    what: ClassVar = "applications by when they first called in the span, the newest first"
    row: ClassVar = Arrival
    text: ClassVar = f"""
SELECT application, min(first_second) AS first, max(last_second), sum(calls)
FROM calls WHERE {CALLS} AND application <> ''
GROUP BY application ORDER BY first DESC, application LIMIT $limit"""


@dataclass(frozen=True)
class Pressure:
    """How often an application is beyond a limit."""

    application: str
    api: str
    code: str
    beyond: int
    calls: int
    """All that it sent to that API."""
    share: float
    last_second: int


@dataclass(frozen=True)
class LimitPressure(Query[Pressure]):
    """Who goes beyond limits and quotas."""

    name: ClassVar = "limit_pressure"
    what: ClassVar = "applications beyond rate limits, quotas and budgets, by their share of calls"
    row: ClassVar = Pressure
    text: ClassVar = f"""
SELECT application, api, code, beyond, every, beyond / every, latest
FROM (
  SELECT application, api, code, sum(calls) AS beyond, max(last_second) AS latest
  FROM reasons WHERE {CALLS} AND split_part(code, '.', 1) IN ({_LIMITS})
  GROUP BY application, api, code
) AS refused
JOIN (SELECT application, api, sum(calls) AS every FROM calls WHERE {CALLS} GROUP BY application, api) AS sent
  USING (application, api)
ORDER BY beyond DESC, application, api, code LIMIT $limit"""
