"""What each node of the cluster was called for, and what it refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lockgate.control.analytics.queries.query import Query
from lockgate.control.analytics.tables import HISTOGRAM

_OF = "($api = '' OR api = $api) AND ($application = '' OR application = $application)"
_AT = "($node = '' OR node = $node)"


@dataclass(frozen=True)
class NodeCalls:
    """Calls at a node, and how they went."""

    node: str
    calls: int
    exceptions: int
    refused: int
    failed: int
    bytes_out: int
    p95_ms: float | None
    last_second: int
    """When the five minutes begin in which the last one was."""


@dataclass(frozen=True)
class TrafficByNode(Query[NodeCalls]):
    """Calls by node, the busiest first."""

    name: ClassVar = "traffic_by_node"
    what: ClassVar = "calls by node, the busiest first"
    row: ClassVar = NodeCalls
    text: ClassVar = f"""
SELECT node, n, bad, no, broken, went, quantile_ms(h, 0.95), latest
FROM (
  SELECT node, sum(calls) AS n, sum(exceptions) AS bad, sum(refused) AS no, sum(failed) AS broken,
    sum(bytes_out) AS went, max(last_second) AS latest, {HISTOGRAM} AS h
  FROM nodes WHERE {_AT} AND {_OF} GROUP BY node ORDER BY n DESC, node LIMIT $limit
)
ORDER BY n DESC, node"""

    node: str = ""


@dataclass(frozen=True)
class NodeReason:
    """Exceptions at a node with a reason."""

    node: str
    code: str
    calls: int
    share: float
    """Of all calls with that reason at any node."""
    last_second: int


@dataclass(frozen=True)
class ExceptionsByNode(Query[NodeReason]):
    """Where what was refused: a node that stands out is looked at first."""

    name: ClassVar = "exceptions_by_node"
    what: ClassVar = (
        "exceptions by node and reason, the most frequent first, with the node's share of the reason"
    )
    row: ClassVar = NodeReason
    text: ClassVar = f"""
SELECT node, code, n, n / every, latest
FROM (
  SELECT node, code, n, latest, sum(n) OVER (PARTITION BY code) AS every
  FROM (
    SELECT node, code, sum(calls) AS n, max(last_second) AS latest FROM nodes
    WHERE code <> '' AND {_OF}
    GROUP BY node, code
  )
)
WHERE {_AT}
ORDER BY n DESC, node, code LIMIT $limit"""

    node: str = ""
