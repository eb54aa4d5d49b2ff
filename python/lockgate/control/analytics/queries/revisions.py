"""How revisions did, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lockgate.control.analytics.queries.query import CALLS, Query
from lockgate.control.analytics.tables import HISTOGRAM


@dataclass(frozen=True)
class RevisionCount:
    """How a revision did."""

    revision: str
    calls: int
    exception_share: float
    failure_share: float
    p50_ms: float | None
    p95_ms: float | None
    first_second: int
    last_second: int


@dataclass(frozen=True)
class RevisionComparison(Query[RevisionCount]):
    """Revisions side by side, the newest first."""

    name: ClassVar = "revision_comparison"
    what: ClassVar = "share of exceptions and failures, and latency, by revision"
    row: ClassVar = RevisionCount
    text: ClassVar = f"""
SELECT revision, n, bad / n, broken / n, quantile_ms(h, 0.5), quantile_ms(h, 0.95), earliest, latest
FROM (
  SELECT revision, sum(calls) AS n, sum(exceptions) AS bad, sum(failed) AS broken,
    min(first_second) AS earliest, max(last_second) AS latest, {HISTOGRAM} AS h
  FROM revisions WHERE {CALLS} GROUP BY revision
)
ORDER BY latest DESC, revision LIMIT $limit"""


@dataclass(frozen=True)
class RevisionReason:
    """How often a revision gave a reason."""

    revision: str
    code: str
    calls: int
    share: float
    """Of the revision's calls."""


@dataclass(frozen=True)
class RevisionReasons(Query[RevisionReason]):
    """Why each revision refused."""

    name: ClassVar = "revision_reasons"
    what: ClassVar = "exceptions by revision and reason, as shares of the revision's calls"
    row: ClassVar = RevisionReason
    text: ClassVar = f"""
SELECT revision, code, n, n / every
FROM (
  SELECT revision, code, sum(calls) AS n FROM reasons WHERE {CALLS} AND code <> '' GROUP BY revision, code
) AS refused
JOIN (SELECT revision, sum(calls) AS every FROM revisions WHERE {CALLS} GROUP BY revision) AS sent
  USING (revision)
ORDER BY n DESC, revision, code LIMIT $limit"""
