"""Looking through alerts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Q

from lockgate.control.alerts.models import RESOLVED, Alert
from lockgate.control.paging import cursor, page_of

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from lockgate.control.paging import Place


@dataclass(frozen=True)
class Wanted:
    """Which alerts are wanted. What is empty wants all; an empty status, all that are not resolved."""

    status: str = ""
    rule: str = ""
    severity: str = ""
    application: str = ""
    subject: str = ""

    @property
    def fields(self) -> dict[str, str]:
        """The filters that are set."""
        return {name: value for name, value in vars(self).items() if value}


def page(wanted: Wanted, before: Place | None, most: int) -> tuple[list[Alert], str | None]:
    """A page of alerts, those with the newest events first, and the cursor of the next one."""
    found = _of(wanted)
    if before is not None:
        at, pk = before
        number = int(pk) if pk.isascii() and pk.isdecimal() and len(pk) < 19 else 0
        found = found.filter(Q(last_at__lt=at) | Q(last_at=at, pk__lt=number))
    rows = list(found.prefetch_related("applications").order_by("-last_at", "-pk")[: most + 1])
    return page_of(rows, most, lambda one: cursor((one.last_at, str(one.pk))))


def open_alerts() -> int:
    """How many nobody has looked at."""
    return Alert.objects.filter(status="open").count()


def _of(wanted: Wanted) -> QuerySet[Alert]:
    found = Alert.objects.all()
    if not wanted.status:
        found = found.exclude(status=RESOLVED)
    elif wanted.status != "all":
        found = found.filter(status=wanted.status)
    if wanted.rule:
        found = found.filter(rule=wanted.rule)
    if wanted.severity:
        found = found.filter(severity=wanted.severity)
    if wanted.subject:
        found = found.filter(subject__icontains=wanted.subject)
    if wanted.application:
        found = found.filter(applications__application=wanted.application).distinct()
    return found
