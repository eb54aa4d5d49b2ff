"""Who is behind an alert: what else the same source or application did in the last day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count as CountOf
from django.db.models import F, Max, Min

from lockgate.control.access.models import Credential
from lockgate.control.alerts.models import Alert
from lockgate.control.alerts.preview import Preview, Target, preview
from lockgate.control.alerts.services import now_micros
from lockgate.control.console.reasons import reason
from lockgate.control.events.index import index_new
from lockgate.control.events.models import CallException
from lockgate.control.events.times import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from django.db.models import QuerySet

    from lockgate.control.console.reasons import Reason

HOUR: Final = 3_600 * 1_000_000
_HOURS: Final = 24
_HEIGHT: Final = 100
_MOST: Final = 10


@dataclass(frozen=True)
class Bar:
    """An hour of the last day, as a part of a picture 100 high."""

    begins: datetime
    count: int
    x: int
    y: float
    height: float


@dataclass(frozen=True)
class Did:
    """What a source or an application did in the last day, and whether it got in."""

    refused: int
    first: datetime | None
    last: datetime | None
    reasons: list[tuple[Reason, int]]
    apis: list[tuple[str, int]]
    paths: list[tuple[str, int]]
    callers: list[tuple[str, int]]
    """Of a source the applications, of an application the sources."""
    bars: list[Bar]
    preview: Preview
    alerts: list[Alert]
    """Other alerts about the same."""
    credentials: list[Credential]
    """Live credentials of the application."""
    got_in: bool
    """Whether calls of the source were answered after the first that the alert is made of."""


def did(alert: Alert) -> Did | None:
    """Look at the subject of an alert; nothing when it is neither a source nor an application."""
    if alert.sort not in {"source", "application"}:
        return None
    index_new()
    now = now_micros()
    found = CallException.objects.filter(**{alert.sort: alert.name}, at__gte=now - _HOURS * HOUR)
    times = found.aggregate(first=Min("at"), last=Max("at"))
    other = "application" if alert.sort == "source" else "source"
    target = Target(alert.sort, alert.name)
    seen = preview(target)
    callers = _most(found.exclude(**{other: ""}), other)
    if alert.sort == "source":
        # Whose calls were answered is what matters most: a credential may have been guessed.
        callers = [*seen.applications.most_common(_MOST)]
    same = Alert.objects.filter(subject=alert.subject).exclude(pk=alert.pk).order_by("-last_at")
    return Did(
        refused=found.count(),
        first=moment(times["first"] / 1e6) if times["first"] else None,
        last=moment(times["last"] / 1e6) if times["last"] else None,
        reasons=[(reason(code), count) for code, count in _most(found, "code")],
        apis=_most(found.exclude(api=""), "api"),
        paths=_most(found, "path"),
        callers=callers,
        bars=_bars(found, now),
        preview=seen,
        alerts=list(same[:_MOST]),
        credentials=_credentials(alert),
        got_in=alert.sort == "source" and seen.last_answered > alert.first_at,
    )


def evidence_rows(alert: Alert) -> list[dict[str, Any]]:
    """The counts of an alert's evidence, sort by sort, each with its values."""
    counts = alert.evidence.get("counts", {})
    titles = (
        ("code", "Reasons"),
        ("api", "APIs"),
        ("application", "Applications"),
        ("source", "Sources"),
        ("path", "Paths"),
    )
    rows = []
    for name, title in titles:
        values = sorted(counts.get(name, {}).items(), key=lambda pair: -pair[1])
        if values:
            shown: list[tuple[str, int]] = [
                (reason(value).title if name == "code" else value, count) for value, count in values[:_MOST]
            ]
            rest = sum(count for _, count in values[_MOST:])
            rows.append({"title": title, "values": shown, "rest": rest, "is_code": name == "path"})
    return rows


def facts(evidence: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What rules say in words and numbers, each by its name."""
    plain = {name: value for name, value in evidence.items() if isinstance(value, str | int | float)}
    said = {**plain, **evidence.get("facts", {})}
    hidden = {"bytes_out"}
    return [
        (name.replace("_", " ").capitalize(), f"{value:,}" if isinstance(value, int | float) else str(value))
        for name, value in said.items()
        if name not in hidden
    ]


def _credentials(alert: Alert) -> list[Credential]:
    if alert.sort != "application":
        return []
    known: Iterable[Credential] = Credential.objects.filter(
        application__name=alert.name, kind=Credential.Kind.KEY, revoked_at=None
    ).order_by("-created_at")
    return [one for one in known if one.is_live][:_MOST]


def _most(found: QuerySet[CallException], name: str) -> list[tuple[str, int]]:
    rows = found.order_by().values(name).annotate(number=CountOf("id")).order_by("-number", name)[:_MOST]
    return [(str(row[name]), int(row["number"])) for row in rows]


def _bars(found: QuerySet[CallException], now: int) -> list[Bar]:
    rows = found.order_by().annotate(hour=F("at") - F("at") % HOUR).values("hour").annotate(n=CountOf("id"))
    counts = {int(row["hour"]): int(row["n"]) for row in rows}
    last = now - now % HOUR
    hours = [last - (_HOURS - 1 - number) * HOUR for number in range(_HOURS)]
    most = max(1, *(counts.get(hour, 0) for hour in hours))
    bars = []
    for number, hour in enumerate(hours):
        count = counts.get(hour, 0)
        height = round(_HEIGHT * count / most, 2)
        bars.append(Bar(moment(hour / 1e6), count, number * 10, _HEIGHT - height, height))
    return bars
