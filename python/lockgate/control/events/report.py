"""Totals, series and breakdowns of what happened in a span of time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db.models import Count as CountOf
from django.db.models import F, Q, Sum

from lockgate.audit.entry import written
from lockgate.control.audit.models import Entry
from lockgate.control.events.alerts import alert_of
from lockgate.control.events.models import BUCKET_SECONDS, CallException, Count
from lockgate.control.events.times import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from django.db.models import QuerySet

    from lockgate.control.events.index import Rolled
    from lockgate.control.events.metrics import Metric
    from lockgate.control.events.times import Span

MOST_VALUES: Final = 50
"""How many values a breakdown names; the rest is counted together."""
POLICY_ACTIONS: Final = ("revision.", "change.", "rollout.")
"""How the actions of audit entries begin that are about policies."""
RESPONSES: Final = ("alert.", "block.")
"""How the actions of entries begin that answer what callers did."""
_NO_ADMIN: Final = ("audit.", "session.", *POLICY_ACTIONS)


@dataclass(frozen=True)
class _Row:
    bucket: int
    api: str
    application: str
    code: str
    count: int

    def fits(self, metric: Metric) -> bool:
        return metric.is_traffic or alert_of(self.code) in metric.alerts


class Report:
    """What is known of a span: the database's counts, and those of segments that are still being written.

    Args:
        span: From when to when.
        open_segments: What is not in the database yet.
    """

    def __init__(self, span: Span, open_segments: Rolled) -> None:
        self._span = span
        self._rows = [*_stored(span), *_open(span, open_segments)]
        first, end = span.micros
        self._open_exceptions = [one for one in open_segments.exceptions if first <= one.at < end]

    def total(self, metric: Metric) -> int:
        """How many there were."""
        if metric.is_audit:
            return self.entries(metric).count()
        return sum(row.count for row in self._rows if row.fits(metric))

    def series(self, metric: Metric) -> dict[int, int]:
        """How many there were by the second in which a step begins; one without any is left out."""
        step = self._span.step
        points: Counter[int] = Counter()
        if metric.is_audit:
            for at in self.entries(metric).values_list("at", flat=True):
                second = int(datetime.fromisoformat(at).timestamp())
                points[second - second % step] += 1
        else:
            for row in self._rows:
                if row.fits(metric):
                    points[row.bucket - row.bucket % step] += row.count
        return dict(sorted(points.items()))

    def breakdown(self, metric: Metric) -> dict[str, list[dict[str, object]]]:
        """How many there were by each thing that is known of them, the most first."""
        if metric.is_audit:
            by_action = Counter(self.entries(metric).values_list("action", flat=True))
            by_who = Counter(self.entries(metric).values_list("who", flat=True))
            return {"action": _most(by_action), "who": _most(by_who)}
        sums: dict[str, Counter[str]] = {
            name: Counter() for name in ("alert", "api", "application", "reason")
        }
        for row in self._rows:
            if row.fits(metric):
                values = {"api": row.api, "application": row.application, "reason": row.code}
                for name, value in (values | {"alert": alert_of(row.code)}).items():
                    sums[name][value] += row.count
        found = {name: _most(counts) for name, counts in sums.items()}
        return found | {"source": _most(self._sources(metric))}

    def entries(self, metric: Metric) -> QuerySet[Entry]:
        """The audit entries of a metric."""
        found = self._entries()
        if metric.name == "policy_changes":
            return found.filter(_begins(POLICY_ACTIONS))
        return found.exclude(_begins(_NO_ADMIN))

    def responses(self) -> QuerySet[Entry]:
        """What was done about alerts: who looked, what was blocked, and what ended."""
        return self._entries().filter(_begins(RESPONSES))

    def _entries(self) -> QuerySet[Entry]:
        start, end = (written(moment(second)) for second in (self._span.start, self._span.end))
        return Entry.objects.filter(at__gte=start, at__lt=end)

    def exceptions(
        self, metrics: Iterable[Metric], before: tuple[int, str] | None, most: int
    ) -> list[CallException]:
        """Exceptions of metrics, newest first, before a place in that order."""
        wanted = list(metrics)
        alerts = {alert for metric in wanted for alert in metric.alerts}
        first, end = self._span.micros
        stored = CallException.objects.filter(at__gte=first, at__lt=end)
        fresh = self._open_exceptions
        if not any(metric.is_traffic for metric in wanted):
            stored = stored.filter(alert__in=alerts)
            fresh = [one for one in fresh if one.alert in alerts]
        if before is not None:
            at, request = before
            stored = stored.filter(Q(at__lt=at) | Q(at=at, request__lt=request))
            fresh = [one for one in fresh if (one.at, one.request) < before]
        found = [*fresh, *stored.order_by("-at", "-request")[:most]]
        return sorted(found, key=lambda one: (one.at, one.request), reverse=True)[:most]

    def _sources(self, metric: Metric) -> Counter[str]:
        """Callers' addresses, of exceptions alone: of other calls they are not kept."""
        first, end = self._span.micros
        stored = CallException.objects.filter(at__gte=first, at__lt=end)
        fresh = self._open_exceptions
        if not metric.is_traffic:
            stored = stored.filter(alert__in=metric.alerts)
            fresh = [one for one in fresh if one.alert in metric.alerts]
        sums = stored.values("source").annotate(count=CountOf("id")).order_by("-count")[: MOST_VALUES * 2]
        return Counter({row["source"]: row["count"] for row in sums}) + Counter(one.source for one in fresh)


def _stored(span: Span) -> Iterable[_Row]:
    found = (
        Count.objects.filter(bucket__gte=span.start, bucket__lt=span.end)
        .annotate(point=F("bucket") - F("bucket") % max(span.step, BUCKET_SECONDS))
        .values("point", "api", "application", "code")
        .annotate(sum=Sum("count"))
        .order_by()
    )
    for row in found:
        yield _Row(row["point"], row["api"], row["application"], row["code"], row["sum"])


def _open(span: Span, rolled: Rolled) -> Iterable[_Row]:
    for (bucket, api, application, code), count in rolled.counts.items():
        if span.start <= bucket < span.end:
            yield _Row(bucket, api, application, code, count)


def _most(counts: Mapping[str, int]) -> list[dict[str, object]]:
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    named: list[dict[str, object]] = [
        {"value": value or None, "count": count} for value, count in ranked[:MOST_VALUES]
    ]
    if rest := ranked[MOST_VALUES:]:
        named.append({"others": len(rest), "count": sum(count for _, count in rest)})
    return named


def _begins(prefixes: Iterable[str]) -> Q:
    wanted = Q()
    for prefix in prefixes:
        wanted |= Q(action__startswith=prefix)
    return wanted
