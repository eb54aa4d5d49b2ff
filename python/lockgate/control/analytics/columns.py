"""What pages of analytics are made of: tables of queries, and their columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.control.analytics.queries.query import Query

Kind = Literal[
    "text",
    "number",
    "ms",
    "share",
    "bytes",
    "money",
    "time",
    "day",
    "code",
    "codes",
    "revision",
    "remedy",
]
Leads = Literal["", "api", "application", "source", "code", "node"]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        field: Of the query's row.
        title: Its heading.
        kind: How its values are written.
        to: Which filter of the exceptions its values lead to.
        none: What stands where there is no value.
    """

    field: str
    title: str
    kind: Kind = "number"
    to: Leads = ""
    none: str = "-"


@dataclass(frozen=True)
class Table:
    """A query as a table; `none` teaches when there is nothing."""

    query: type[Query[Any]]
    title: str
    columns: tuple[Column, ...]
    none: str

    def takes(self, asked: Mapping[str, object]) -> bool:
        """Whether it can leave out what these filters leave out."""
        return {name for name, value in asked.items() if value} <= set(self.query.parameters())


@dataclass(frozen=True)
class Page:
    """A page of analytics."""

    name: str
    title: str
    permission: str
    charts: tuple[str, ...]
    tables: tuple[Table, ...]
    filters: tuple[str, ...] = ("api", "application")
    summary: Literal["", "calls", "models"] = "calls"
    """What its cards count."""


CALLS: Final = Column("calls", "Calls")
EXCEPTIONS: Final = Column("exceptions", "Exceptions")
FAILED: Final = Column("failed", "Failed")
OUT: Final = Column("bytes_out", "Bytes out", "bytes")
P95: Final = Column("p95_ms", "p95", "ms")
API: Final = Column("api", "API", "text", "api")
VERSION: Final = Column("api_version", "Version", "text")
ROUTE: Final = Column("route", "Route", "text")
APPLICATION: Final = Column("application", "Application", "text", "application")
REASON: Final = Column("code", "Reason", "code", "code")
NODE: Final = Column("node", "Node", "text", "node")
LAST: Final = Column("last_second", "Last", "time")
SOURCE: Final = (Column("source", "Source", "text", "source"), CALLS, EXCEPTIONS, FAILED, OUT, LAST)
