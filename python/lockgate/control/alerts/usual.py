"""What is usual for the subject of an alert: the same refusals in the week before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import Sum

from lockgate.control.events.alerts import ALERTS
from lockgate.control.events.models import CallException, Count

if TYPE_CHECKING:
    from django.db.models import QuerySet

DAY: Final = 86_400 * 1_000_000
_STANDARD: Final = frozenset(alert.name for alert in ALERTS)


def usual(rule: str, subject: str, before: int) -> dict[str, Any]:
    """How many such events there were in the day and in the week before a time, in microseconds.

    What is not known is left out: sources are kept of refused calls alone.
    """
    sort, _, name = subject.partition(":")
    if sort == "api":
        failed = Count.objects.filter(api=name).exclude(code="")
        day, week = (
            failed.filter(bucket__gte=(before - span) // 1_000_000, bucket__lt=before // 1_000_000).aggregate(
                sum=Sum("count")
            )["sum"]
            or 0
            for span in (DAY, 7 * DAY)
        )
        return {"what": "calls of this API that failed or were refused", "day": day, "week": week}
    if sort not in {"source", "application"}:
        return {}
    found: QuerySet[CallException] = CallException.objects.filter(**{sort: name})
    what = f"refused calls of this {sort}"
    if rule in _STANDARD:
        found = found.filter(alert=rule)
        what = f"such refusals of this {sort}"
    day, week = (found.filter(at__gte=before - span, at__lt=before).count() for span in (DAY, 7 * DAY))
    return {"what": what, "day": day, "week": week}
