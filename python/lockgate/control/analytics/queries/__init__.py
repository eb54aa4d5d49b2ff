"""The named queries: one module a noun, one class a question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lockgate.control.analytics.queries.applications import (
    ApplicationsSeen,
    ApplicationUsage,
    LimitPressure,
)
from lockgate.control.analytics.queries.caches import CacheByRoute, CacheOverTime
from lockgate.control.analytics.queries.errors import ErrorsByRoute, ErrorsByTarget, ErrorsOverTime
from lockgate.control.analytics.queries.exceptions import (
    ExceptionsByApplication,
    ExceptionsByReason,
    ExceptionsByRemedy,
    ExceptionsOverTime,
    ShadowRefusals,
)
from lockgate.control.analytics.queries.latencies import LatencyByRoute, LatencyOverTime, SlowestCalls
from lockgate.control.analytics.queries.models import (
    ModelEnds,
    ModelFailures,
    ModelProviders,
    ModelRefusals,
    ModelsOverTime,
    ModelsSummary,
    ModelUsage,
    ModelUsageByApplication,
    ModelUsageByDay,
    ModelUsageByTeam,
)
from lockgate.control.analytics.queries.nodes import ExceptionsByNode, TrafficByNode
from lockgate.control.analytics.queries.revisions import RevisionComparison, RevisionReasons
from lockgate.control.analytics.queries.sources import (
    ApplicationNetworks,
    SourceActivity,
    TopRefusedSources,
    TopSources,
    TopSourcesByBytes,
)
from lockgate.control.analytics.queries.traffic import (
    TrafficByApi,
    TrafficByApplication,
    TrafficByHourOfWeek,
    TrafficByRoute,
    TrafficByStatus,
    TrafficOverTime,
    TrafficSummary,
)
from lockgate.control.analytics.queries.versions import VersionCallers, VersionUsage

if TYPE_CHECKING:
    from lockgate.control.analytics.queries.query import Query

QUERIES: Final[tuple[type[Query[Any]], ...]] = (
    TrafficSummary,
    TrafficOverTime,
    TrafficByApi,
    TrafficByRoute,
    TrafficByApplication,
    TrafficByStatus,
    TrafficByHourOfWeek,
    LatencyOverTime,
    LatencyByRoute,
    SlowestCalls,
    ErrorsOverTime,
    ErrorsByRoute,
    ErrorsByTarget,
    ExceptionsOverTime,
    ExceptionsByReason,
    ExceptionsByRemedy,
    ExceptionsByApplication,
    ShadowRefusals,
    ApplicationUsage,
    ApplicationsSeen,
    LimitPressure,
    VersionUsage,
    VersionCallers,
    TopSources,
    TopRefusedSources,
    TopSourcesByBytes,
    SourceActivity,
    ApplicationNetworks,
    CacheByRoute,
    CacheOverTime,
    RevisionComparison,
    RevisionReasons,
    TrafficByNode,
    ExceptionsByNode,
    ModelsSummary,
    ModelsOverTime,
    ModelUsage,
    ModelUsageByApplication,
    ModelUsageByTeam,
    ModelUsageByDay,
    ModelProviders,
    ModelEnds,
    ModelFailures,
    ModelRefusals,
)
BY_NAME: Final = {query.name: query for query in QUERIES}
