"""Which versions of APIs are called, and by whom still."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lockgate.control.analytics.queries.query import CALLS, Query


@dataclass(frozen=True)
class VersionCount:
    """Calls of a version of an API."""

    api: str
    api_version: str
    calls: int
    exceptions: int
    applications: int
    last_second: int


@dataclass(frozen=True)
class VersionUsage(Query[VersionCount]):
    """Calls by version of an API."""

    name: ClassVar = "version_usage"
    what: ClassVar = "calls and applications by version of each API"
    row: ClassVar = VersionCount
    text: ClassVar = f"""
SELECT api, api_version, sum(calls), sum(exceptions),
  count(DISTINCT application) FILTER (WHERE application <> ''), max(last_second)
FROM calls WHERE {CALLS} AND api <> ''
GROUP BY api, api_version ORDER BY api, api_version LIMIT $limit"""


@dataclass(frozen=True)
class VersionCaller:
    """An application that calls a version."""

    application: str
    api: str
    api_version: str
    route: str
    calls: int
    last_second: int


@dataclass(frozen=True)
class VersionCallers(Query[VersionCaller]):
    """Who calls a version, such as one that is deprecated."""

    name: ClassVar = "version_callers"
    what: ClassVar = "who still calls a version, such as a deprecated one, by route"
    row: ClassVar = VersionCaller
    text: ClassVar = f"""
SELECT application, api, api_version, route, sum(calls) AS n, max(last_second)
FROM calls WHERE {CALLS} AND api <> '' AND ($api_version = '' OR api_version = $api_version)
GROUP BY ALL ORDER BY n DESC, application, api, api_version, route LIMIT $limit"""

    api_version: str = ""
