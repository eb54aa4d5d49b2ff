"""`/audit/logs`: what happened, for security monitoring."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - the models read it
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.client.transport import Transport


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class TimeRange(_Told):
    """The bounds in UTC; `asked` is what was asked for."""

    asked: Any
    from_: datetime = Field(alias="from")
    to: datetime


class Point(_Told):
    """How many there were in the step that begins then."""

    at: datetime
    count: int


class Series(_Told):
    """By metric, from the beginning to the end."""

    step_seconds: int
    points: dict[str, list[Point]]


class LoggedException(_Told):
    """A call that was refused or failed."""

    at: datetime
    node: str
    """At which node of the cluster."""
    request: str
    alert: str | None
    reason: str
    api: str | None
    route: str | None
    application: str | None
    source: str | None
    method: str
    path: str
    status: int
    rule: str | None
    """The rule of the policy that refused it, when it has rules."""
    revision: str


class Completeness(_Told):
    """Whether everything is known, and if not, what is missing and why."""

    complete: bool
    gaps: list[dict[str, Any]]


class Logs(_Told):
    """An answer of `/audit/logs`."""

    time_range: TimeRange = Field(alias="timeRange")
    metrics: list[str]
    totals: dict[str, int]
    series: Series
    breakdown: dict[str, Any]
    exceptions: list[LoggedException]
    cursor: str | None
    """For the exceptions after these; nothing when there are none."""
    actions: list[dict[str, Any]]
    """Entries of the audit log, for metrics that are about what people did."""
    completeness: Completeness
    checkpoint: dict[str, Any]


def ask_logs(
    transport: Transport,
    time_range: str | tuple[datetime, datetime],
    metrics: str | Sequence[str],
    limit: int,
    cursor: str | None,
) -> Logs:
    """Ask. It is a query though it is sent by POST, and GET asks the same, which may be asked again."""
    query: dict[str, Any] = {"limit": limit, "cursor": cursor}
    query["metrics"] = metrics if isinstance(metrics, str) else ",".join(metrics)
    if isinstance(time_range, str):
        query["timeRange"] = time_range
    else:
        query["from"], query["to"] = time_range
    return transport.ask(Logs, "GET", "/audit/logs", query=query)
