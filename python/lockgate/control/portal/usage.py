"""How much applications call, as analytics counts it: the newest calls too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from django.utils import timezone

from lockgate.control.analytics.queries.query import Query
from lockgate.control.analytics.tables import HISTOGRAM
from lockgate.control.events.times import between, moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Used:
    """The calls of an application to a version of an API."""

    application: str
    api: str
    version: str
    calls: int
    refused: int
    """By policies."""
    failed: int
    """By services."""
    median_ms: float | None
    """Half of the calls took at most so long."""
    slow_ms: float | None
    """95 of 100 calls took at most so long."""
    last_second: int
    """When the five minutes begin in which the last one was."""

    @property
    def last(self) -> datetime:
        """The same as a time."""
        return moment(self.last_second)


@dataclass(frozen=True)
class _Calls(Query[Used]):
    """What some applications use."""

    name: ClassVar = "calls_of"
    what: ClassVar = "calls of some applications by API and version, with why they did not succeed"
    row: ClassVar = Used
    text: ClassVar = f"""
SELECT application, api, api_version, n, coalesce(refused, 0), coalesce(failed, 0), quantile_ms(h, 0.5),
  quantile_ms(h, 0.95), latest
FROM (
  SELECT application, api, api_version, sum(calls) AS n, max(last_second) AS latest, {HISTOGRAM} AS h
  FROM calls WHERE list_contains($names, application) AND api <> '' GROUP BY application, api, api_version
)
LEFT JOIN (
  SELECT application, api, api_version, sum(calls) FILTER (NOT is_failure) AS refused,
    sum(calls) FILTER (is_failure) AS failed
  FROM (SELECT *, status >= 500 OR starts_with(code, 'upstream.') AS is_failure FROM reasons)
  GROUP BY application, api, api_version
) USING (application, api, api_version)
ORDER BY n DESC, application, api, api_version"""  # noqa: S608 - columns of ours

    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sum:
    """Calls that belong together."""

    calls: int = 0
    refused: int = 0
    failed: int = 0


def usage(names: Sequence[str], since: datetime) -> list[Used]:
    """The calls of applications by API and version, the most called first.

    Args:
        names: The applications; none gives nothing.
        since: From the five minutes of this time on.
    """
    now = timezone.now()
    if not names or since >= now:
        return []
    return _Calls(span=between(since, now), names=tuple(names)).run()


def together(those: Iterable[Used]) -> Sum:
    """All of them as one."""
    rows = list(those)
    counts = (sum(getattr(one, name) for one in rows) for name in ("calls", "refused", "failed"))
    return Sum(*counts)


def calls_to(names: Sequence[str], api: str, version: str, days: int) -> dict[str, Used]:
    """How often applications called a version, of those that did."""
    found = usage(names, timezone.now() - timedelta(days=days))
    return {one.application: one for one in found if (one.api, one.version) == (api, version)}
