"""How APIs are: from the health of what is behind them, and from the failures of the last day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Q, Sum
from django.utils import timezone

from lockgate.control import node
from lockgate.control.events import index
from lockgate.control.events.models import Count
from lockgate.control.events.times import moment

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from lockgate.control.portal.catalogue import Api, Catalogue

HOURS: Final = 24
HOUR: Final = 3_600
_SOME: Final = 0.01
"""From such a share of failures on, an API works partly."""
_MANY: Final = 0.25
_LEAST: Final = 5
"""Failures below are no sign of anything."""
_FAILURES: Final = ("upstream.", "aggregate.", "gateway.", "policy.")


@dataclass(frozen=True)
class Hour:
    """An hour of an API."""

    begins: datetime
    calls: int
    failed: int

    @property
    def share(self) -> float:
        """Of calls that failed, in percent."""
        return 100 * self.failed / self.calls if self.calls else 0.0

    @property
    def state(self) -> str:
        """`good`, `some`, `bad`, or `none` without calls."""
        if not self.calls:
            return "none"
        return _state(self.calls, self.failed)


@dataclass(frozen=True)
class ApiStatus:
    """How an API is."""

    api: Api
    state: str
    """`good`, `some`, `bad` or `unknown`."""
    hours: list[Hour]

    @property
    def in_words(self) -> str:
        """The state, for people."""
        words = {"good": "works", "some": "works partly", "bad": "does not work", "unknown": "not known now"}
        return words[self.state]

    @property
    def calls(self) -> int:
        """Of the whole day."""
        return sum(hour.calls for hour in self.hours)

    @property
    def available(self) -> float | None:
        """The share of calls of the day that did not fail, in percent."""
        failed = sum(hour.failed for hour in self.hours)
        return 100 - 100 * failed / self.calls if self.calls else None


def statuses(catalogue: Catalogue) -> list[ApiStatus]:
    """How each API is, and was in the last day."""
    stats = node.stats()
    now = int(timezone.now().timestamp())
    first = (now // HOUR - HOURS + 1) * HOUR
    counted = _counted(first)
    found = []
    for api in catalogue.apis:
        hours = [
            Hour(moment(first + place * HOUR), *counted.get((api.name, first + place * HOUR), (0, 0)))
            for place in range(HOURS)
        ]
        found.append(ApiStatus(api, _now(api, stats, hours[-1]), hours))
    return found


def _counted(first: int) -> dict[tuple[str, int], tuple[int, int]]:
    is_failure = Q()
    for start in _FAILURES:
        is_failure |= Q(code__startswith=start)
    found: dict[tuple[str, int], tuple[int, int]] = {}

    def add(api: str, bucket: int, calls: int, failed: int) -> None:
        key = (api, bucket // HOUR * HOUR)
        before = found.get(key, (0, 0))
        found[key] = (before[0] + calls, before[1] + failed)

    rows = (
        Count.objects.filter(bucket__gte=first)
        .values("api", "bucket")
        .annotate(calls=Sum("count"), failed=Sum("count", filter=is_failure))
        .order_by()
    )
    for row in rows:
        add(row["api"], row["bucket"], row["calls"], row["failed"] or 0)
    for (bucket, api, _, code), count in index.open_segments().counts.items():
        if bucket >= first:
            add(api, bucket, count, count if code.startswith(_FAILURES) else 0)
    return found


def _now(api: Api, stats: dict[str, Any] | None, hour: Hour) -> str:
    if stats is None:
        return "unknown"
    known = stats.get("upstreams", {})
    health = [_health(known[name]) for name in _upstreams(api) if name in known]
    if health and all(one == "bad" for one in health):
        return "bad"
    recent = _state(hour.calls, hour.failed)
    if recent != "good" or any(one != "good" for one in health):
        return "some" if recent != "bad" else "bad"
    return "good"


def _upstreams(api: Api) -> Iterable[str]:
    return {name for version in api.versions for route in version.routes for name in route.upstreams}


def _health(upstream: dict[str, Any]) -> str:
    targets = upstream.get("targets", [])
    healthy = sum(bool(target.get("healthy")) for target in targets)
    if upstream.get("circuit_open") or (targets and not healthy):
        return "bad"
    return "good" if healthy == len(targets) else "some"


def _state(calls: int, failed: int) -> str:
    if failed < _LEAST or failed < calls * _SOME:
        return "good"
    return "bad" if failed >= calls * _MANY else "some"
