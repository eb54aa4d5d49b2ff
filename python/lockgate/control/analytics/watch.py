"""Looks at each five minutes when they are over, and raises alerts about what is unusual."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from lockgate.control.alerts.services import raise_alert
from lockgate.control.alerts.settings import chosen
from lockgate.control.analytics import tail
from lockgate.control.analytics.detectors.rules import Finding, Five, Window, judge, usual_of
from lockgate.control.analytics.models import LIVE, Part, Watched
from lockgate.control.analytics.queries.applications import ApplicationUsage
from lockgate.control.analytics.queries.query import Query
from lockgate.control.analytics.tables import HISTOGRAM, HOUR
from lockgate.control.events.lateness import behind
from lockgate.control.events.models import BUCKET_SECONDS
from lockgate.control.events.times import Span, text_of
from lockgate.control.nodes.models import Node

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WEEKS: Final = 4
"""How far back what is usual is looked for."""
RECENT: Final = 72
"""How many five minutes a ramp may take."""
LATE_SECONDS: Final = 20
"""Calls are recorded when they end: so long is waited for those of the last seconds."""
LATE_SECONDS_OF_OTHERS: Final = 120
"""Those of other nodes are here when their segment was sealed and pushed."""
MOST_SERIES: Final = 500
"""The busiest ones are looked at."""
_WEEK: Final = 7 * 86_400
_NAMED: Final = {"": "gateway:all", "api": "api:{}", "application": "application:{}", "route": "route:{}"}
Key = tuple[str, str]
"""What sort of series it is, and of what."""


@dataclass(frozen=True)
class _Row:
    sort: str
    name: str
    second: int
    calls: int
    failed: int
    bytes_out: int
    p95_ms: float | None


@dataclass(frozen=True)
class _Fives(Query[_Row]):
    """Five minutes of every series."""

    name: ClassVar = "fives"
    what: ClassVar = "five minutes of every series"
    row: ClassVar = _Row
    text: ClassVar = f"""
SELECT sort, name, second, n, failed, volume, quantile_ms(h, 0.95)
FROM (
  SELECT sort, name, second, sum(calls) AS n, sum(failed) AS failed, sum(bytes_out) AS volume,
    {HISTOGRAM} AS h
  FROM fives GROUP BY sort, name, second
)"""


@dataclass(frozen=True)
class Unusual:
    """Something unusual of a series."""

    sort: str
    name: str
    second: int
    finding: Finding

    @property
    def subject(self) -> str:
        """What an alert about it is about."""
        return _NAMED[self.sort].format(self.name)


def watch(now: float | None = None) -> None:
    """Judge the last five minutes that are over, unless somebody did already.

    Args:
        now: The time; the clock's by default.
    """
    has_others = Node.objects.filter(is_first=False, removed_at=None).exists()
    late = LATE_SECONDS_OF_OTHERS if has_others else LATE_SECONDS
    settled = int(time.time() if now is None else now) - late
    second = settled - settled % BUCKET_SECONDS - BUCKET_SECONDS
    Watched.objects.get_or_create(pk=1)
    if Watched.objects.filter(pk=1, bucket__lt=second).update(bucket=second):
        tell(unusual(second))


def unusual(second: int) -> list[Unusual]:
    """What is unusual in five minutes.

    Args:
        second: When they begin.
    """
    start, end = second - (RECENT - 1) * BUCKET_SECONDS, second + BUCKET_SECONDS
    first = _first_second()
    if first is None or first > second:
        return []
    recent = _series(Span(start, end))
    # Whole hours: what is usual is that of an hour, its five minutes together.
    from_hour, to_hour = start - start % HOUR, end + -end % HOUR
    weeks = [week for week in range(1, WEEKS + 1) if from_hour - week * _WEEK >= first]
    before = {week: _series(Span(from_hour - week * _WEEK, to_hour - week * _WEEK)) for week in weeks}
    found = []
    for key in _busiest([recent, *before.values()]):
        history: dict[int, list[Five]] = defaultdict(list)
        for week, series in before.items():
            known = series.get(key, {})
            for at in range(from_hour, to_hour, BUCKET_SECONDS):
                history[_hour(at)].append(known.get(at - week * _WEEK, Five()))
        mine = recent.get(key, {})
        seconds = range(max(start, first - first % BUCKET_SECONDS), end, BUCKET_SECONDS)
        fives = [(_hour(at), mine.get(at, Five())) for at in seconds]
        judged = judge(Window(fives, usual_of(history), len(weeks)))
        found += [Unusual(*key, second, one) for one in judged]
    if tail.is_cut() or any(one.since < end * 1_000_000 for one in behind(since=start * 1_000_000)):
        # Not all of these minutes was read, or is here, so that there are few calls says nothing.
        found = [one for one in found if one.finding.rule != "traffic_drop"]
    return narrowed(found)


def narrowed(found: Iterable[Unusual]) -> list[Unusual]:
    """Without what only repeats another: the whole gateway, or a route, when its API is unusual itself."""
    those = list(found)
    of_apis = {(one.finding.rule, one.name) for one in those if one.sort == "api"}
    rules = {rule for rule, _ in of_apis}
    return [
        one
        for one in those
        if not (one.sort == "" and one.finding.rule in rules)
        and not (one.sort == "route" and (one.finding.rule, one.name.partition("/")[0]) in of_apis)
    ]


def tell(found: Iterable[Unusual]) -> None:
    """Raise an alert about each, or add to the one that is not resolved."""
    rules = chosen()
    for one in found:
        finding = one.finding
        if not rules[finding.rule].is_on:
            continue
        raise_alert(
            finding.rule,
            one.subject,
            {
                "from": text_of(one.second),
                "to": text_of(one.second + BUCKET_SECONDS),
                "value": round(finding.value, 1),
                "deviations": round(finding.z, 1),
                "found_by": finding.way,
            },
            count=max(1, round(finding.value)) if finding.rule != "latency" else 1,
            first_at=one.second * 1_000_000,
            last_at=(one.second + BUCKET_SECONDS) * 1_000_000 - 1,
            baseline={
                "usual": round(finding.usual, 1),
                "least": round(finding.least, 1),
                "most": round(finding.most, 1),
                "weeks": finding.weeks,
            },
            applications=_applications(one),
        )


def _applications(one: Unusual) -> Mapping[str, int]:
    if one.sort == "application":
        return {one.name: round(one.finding.value)}
    api, _, route = one.name.partition("/")
    span = Span(one.second, one.second + BUCKET_SECONDS)
    usage = ApplicationUsage(span=span, api=api, route=route).run()
    counts: dict[str, int] = defaultdict(int)
    for row in usage:
        counts[row.application] += row.calls
    return counts


def _series(span: Span) -> dict[Key, dict[int, Five]]:
    found: dict[Key, dict[int, Five]] = defaultdict(dict)
    for row in _Fives(span=span).run():
        five = Five(row.calls, row.failed, row.bytes_out, row.p95_ms or 0.0)
        found[row.sort, row.name][row.second] = five
    return found


def _busiest(those: list[dict[Key, dict[int, Five]]]) -> list[Key]:
    calls: dict[Key, int] = defaultdict(int)
    for series in those:
        for key, fives in series.items():
            calls[key] += sum(five.calls for five in fives.values())
    return sorted(calls, key=lambda key: (-calls[key], key))[:MOST_SERIES]


def _first_second() -> int | None:
    first = Part.objects.filter(state=LIVE).order_by("first_at").values_list("first_at", flat=True).first()
    return None if first is None else first // 1_000_000


def _hour(second: int) -> int:
    # The epoch began on a Thursday.
    return (second // HOUR + 72) % 168
