"""From where calls come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lockgate.control.analytics.queries.query import Query


@dataclass(frozen=True)
class SourceCount:
    """Calls of a source, as far as the node recorded its address."""

    source: str
    calls: int
    exceptions: int
    failed: int
    bytes_in: int
    bytes_out: int
    last_second: int


_COUNTS = """SELECT source, sum(calls) AS n, sum(exceptions) AS bad, sum(failed), sum(bytes_in),
  sum(bytes_out) AS volume, max(last_second) FROM sources WHERE source <> ''"""


@dataclass(frozen=True)
class TopSources(Query[SourceCount]):
    """Who calls most."""

    name: ClassVar = "top_sources"
    what: ClassVar = "sources by calls, the busiest first"
    row: ClassVar = SourceCount
    text: ClassVar = f"{_COUNTS} GROUP BY source ORDER BY n DESC, source LIMIT $limit"


@dataclass(frozen=True)
class TopRefusedSources(Query[SourceCount]):
    """Whose calls do not succeed."""

    name: ClassVar = "top_refused_sources"
    what: ClassVar = "sources by exceptions, those with the most first; `alert` wants those of one alert"
    row: ClassVar = SourceCount
    text: ClassVar = f"""{_COUNTS} AND is_exception AND ($alert = '' OR alert = $alert)
GROUP BY source ORDER BY bad DESC, source LIMIT $limit"""

    alert: str = ""


@dataclass(frozen=True)
class TopSourcesByBytes(Query[SourceCount]):
    """Who takes most data."""

    name: ClassVar = "top_sources_by_bytes"
    what: ClassVar = "sources by the bytes that they took, the most first"
    row: ClassVar = SourceCount
    text: ClassVar = f"{_COUNTS} GROUP BY source ORDER BY volume DESC, source LIMIT $limit"


@dataclass(frozen=True)
class Origin:
    """Calls of an application from a network: 24 bits of IPv4, 48 of IPv6."""

    application: str
    network: str
    calls: int
    exceptions: int
    first_second: int
    last_second: int


@dataclass(frozen=True)
class ApplicationNetworks(Query[Origin]):
    """From where applications call."""

    name: ClassVar = "application_networks"
    what: ClassVar = "networks that applications call from, the most called from first"
    row: ClassVar = Origin
    text: ClassVar = """
SELECT application, network, sum(calls) AS n, sum(exceptions), min(first_second), max(last_second)
FROM networks WHERE ($application = '' OR application = $application) AND network <> ''
GROUP BY application, network ORDER BY n DESC, application, network LIMIT $limit"""


@dataclass(frozen=True)
class Activity:
    """What a source did to a route."""

    api: str
    route: str
    application: str
    code: str
    calls: int
    paths: int
    """Different ones, about."""
    first_micros: int
    last_micros: int


@dataclass(frozen=True)
class SourceActivity(Query[Activity]):
    """What else a source did."""

    name: ClassVar = "source_activity"
    what: ClassVar = "what one source did, by route, application and reason"
    row: ClassVar = Activity
    text: ClassVar = """
SELECT api, route, application, code, count(*) AS n, approx_count_distinct(path), min(micros), max(micros)
FROM events WHERE source = $source
GROUP BY ALL ORDER BY n DESC, api, route, application, code LIMIT $limit"""

    source: str = ""
