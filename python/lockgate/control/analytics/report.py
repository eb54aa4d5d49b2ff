"""Totals, series and breakdowns of what happened in a span of time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db.models import Q

from lockgate.audit.entry import written
from lockgate.control.analytics import tail
from lockgate.control.analytics.relations import relations_of
from lockgate.control.audit.models import Entry
from lockgate.control.events.alerts import ALERTS
from lockgate.control.events.models import CallException
from lockgate.control.events.times import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from django.db.models import QuerySet

    from lockgate.control.events.metrics import Metric
    from lockgate.control.events.times import Span

MOST_VALUES: Final = 50
"""How many values a breakdown names; the rest is counted together."""
POLICY_ACTIONS: Final = ("revision.", "change.", "rollout.")
"""How the actions of audit entries begin that are about policies."""
RESPONSES: Final = ("alert.", "block.")
"""How the actions of entries begin that answer what callers did."""
_NO_ADMIN: Final = ("audit.", "session.", *POLICY_ACTIONS)


class Report:
    """What is known of a span: Parquet's counts, and those of segments that are not in it yet.

    Args:
        span: From when to when.
        metrics: What is asked for.
    """

    def __init__(self, span: Span, metrics: Iterable[Metric]) -> None:
        self._span = span
        wanted = [metric for metric in metrics if not metric.is_audit]
        self._is_of_traffic = any(metric.is_traffic for metric in wanted)
        self._relations = relations_of(span)
        self._counts = self._counted() if wanted else []

    def total(self, metric: Metric) -> int:
        """How many there were."""
        if metric.is_audit:
            return self.entries(metric).count()
        return sum(self._by(metric, "reason").values())

    def series(self, metric: Metric) -> dict[int, int]:
        """How many there were by the second in which a step begins; one without any is left out."""
        step = self._span.step
        points: Counter[int] = Counter()
        if metric.is_audit:
            for at in self.entries(metric).values_list("at", flat=True):
                second = int(datetime.fromisoformat(at).timestamp())
                points[second - second % step] += 1
        else:
            points.update({int(at): count for at, count in self._by(metric, "point").items()})
        return dict(sorted(points.items()))

    def breakdown(self, metric: Metric) -> dict[str, list[dict[str, object]]]:
        """How many there were by each thing that is known of them, the most first."""
        if metric.is_audit:
            by_action = Counter(self.entries(metric).values_list("action", flat=True))
            by_who = Counter(self.entries(metric).values_list("who", flat=True))
            return {"action": _most(by_action), "who": _most(by_who)}
        alerts: Counter[str] = Counter()
        for row in self._counts:
            if row.sort == "reason" and row.fits(metric):
                alerts[row.alert] += row.count
        found = {"alert": _most(alerts)}
        found |= {name: _most(self._by(metric, name)) for name in ("api", "application", "reason")}
        return found | {"source": self._sources(metric)}

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
        fresh = [one for one in tail.exceptions() if first <= one.at < end]
        if not any(metric.is_traffic for metric in wanted):
            stored = stored.filter(alert__in=alerts)
            fresh = [one for one in fresh if one.alert in alerts]
        if before is not None:
            at, request = before
            stored = stored.filter(Q(at__lt=at) | Q(at=at, request__lt=request))
            fresh = [one for one in fresh if (one.at, one.request) < before]
        found = [*fresh, *stored.order_by("-at", "-request")[:most]]
        return sorted(found, key=lambda one: (one.at, one.request), reverse=True)[:most]

    def _by(self, metric: Metric, sort: str) -> Counter[str]:
        counts: Counter[str] = Counter()
        for row in self._counts:
            if row.sort == sort and row.fits(metric):
                counts[row.value] += row.count
        return counts

    def _counted(self) -> list[_Row]:
        """All that is asked for: each dimension beside the alert."""
        answered = "SELECT '' AS alert, api, application, '' AS code, calls FROM calls WHERE NOT is_exception"
        refused = "SELECT alert, api, application, code, calls FROM reasons WHERE code <> ''"
        text = f"""
SELECT CASE grouping(api, application, code) WHEN 3 THEN 'api' WHEN 5 THEN 'application' ELSE 'reason' END,
  alert, coalesce(api, application, code), sum(calls)
FROM ({refused}{f" UNION ALL {answered}" if self._is_of_traffic else ""})
GROUP BY GROUPING SETS ((alert, api), (alert, application), (alert, code))"""
        return [*self._points(), *(_Row(*row) for row in self._relations.ask(text))]

    def _points(self) -> list[_Row]:
        step, names = self._span.step, [alert.name for alert in ALERTS]
        text = f"""
SELECT second // {step} * {step} AS point, sum(calls), {", ".join(f"sum({name})" for name in names)}
FROM series GROUP BY point"""
        found = []
        for point, calls, *counts in self._relations.ask(text):
            by_alert = {"": calls - sum(counts), **dict(zip(names, counts, strict=True))}
            found += [_Row("point", alert, str(point), count) for alert, count in by_alert.items() if count]
        return found

    def _sources(self, metric: Metric) -> list[dict[str, object]]:
        """Callers' addresses of exceptions, the most first."""
        names = ", ".join(f"'{alert}'" for alert in metric.alerts)
        only = "" if metric.is_traffic else f"AND alert IN ({names})"
        text = f"""
SELECT source, sum(calls) AS n, count(*) OVER (), sum(sum(calls)) OVER ()
FROM sources WHERE is_exception {only} GROUP BY source ORDER BY n DESC, source LIMIT {MOST_VALUES}"""
        rows = self._relations.ask(text)
        named: list[dict[str, object]] = [{"value": row[0] or None, "count": row[1]} for row in rows]
        if rows and rows[0][2] > len(rows):
            named.append(
                {"others": rows[0][2] - len(rows), "count": rows[0][3] - sum(row[1] for row in rows)}
            )
        return named


@dataclass(frozen=True)
class _Row:
    sort: str
    alert: str
    value: str
    count: int

    def fits(self, metric: Metric) -> bool:
        return metric.is_traffic or self.alert in metric.alerts


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
