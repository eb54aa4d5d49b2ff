"""Refused and failed calls of the reader's applications, grouped by reason, each with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django.db.models import Count, Max, Min
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from lockgate.control.console.reasons import Reason, reason
from lockgate.control.events import index
from lockgate.control.events.models import CallException
from lockgate.control.events.times import moment, text_of
from lockgate.control.portal.learning import Lesson, lesson_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_GROUPS: Final = 500
SAMPLES: Final = 5
SPANS: Final = {"1": "24 hours", "7": "7 days", "30": "30 days"}

_Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Action:
    """What the reader can do, with one click."""

    title: str
    url: str


@dataclass
class Group:
    """Refusals of one application that are alike."""

    application: str
    code: str
    api: str
    route: str
    count: int
    first: int
    """Microseconds."""
    last: int
    fresh: list[CallException] = field(default_factory=list)
    """Those that are not in the database yet."""

    @property
    def first_at(self) -> datetime:
        """When the first of them was."""
        return _time(self.first)

    @property
    def last_at(self) -> datetime:
        """When the last of them was."""
        return _time(self.last)

    @property
    def key(self) -> str:
        """What names the group in a form."""
        names = {"application": self.application, "code": self.code, "api": self.api, "route": self.route}
        return urlencode(names)

    @property
    def reason(self) -> Reason:
        """Why, in words."""
        return reason(self.code)

    @property
    def lesson(self) -> Lesson:
        """The guide about it."""
        return lesson_of(self.code)

    @property
    def is_ours(self) -> bool:
        """Whether the service failed, so that the caller did nothing wrong."""
        return self.code.partition(".")[0] in {"upstream", "aggregate", "gateway", "policy"}

    @property
    def action(self) -> Action | None:
        """The one thing that helps most often."""
        return _action(self)

    @cached_property
    def samples(self) -> list[CallException]:
        """The last of them, which are looked up when they are asked for."""
        alike = {
            "application": self.application,
            "code": self.code,
            "api": self.api,
            "route": self.route,
        }
        stored = CallException.objects.filter(at__gte=self.first, **alike).order_by("-at", "-request")
        both = [*self.fresh, *stored[:SAMPLES]]
        return sorted(both, key=lambda one: one.at, reverse=True)[:SAMPLES]

    @property
    def shown(self) -> list[dict[str, Any]]:
        """The samples, as a page and a thread show them."""
        return [
            {
                "at": text_of(one.at // 1_000_000),
                "method": one.method,
                "path": one.path,
                "status": one.status,
                "rule": one.rule,
                "request": one.request,
                "source": one.source,
            }
            for one in self.samples
        ]


def groups(names: Sequence[str], days: int, only: dict[str, str] | None = None) -> list[Group]:
    """The groups of some applications, what happened last first.

    Args:
        names: The applications; none gives nothing.
        days: How far to look back.
        only: Values that groups must have, by `application`, `code`, `api` and `route`.
    """
    if not names:
        return []
    since = int((timezone.now() - timedelta(days=days)).timestamp() * 1_000_000)
    wanted = only or {}
    stored = CallException.objects.filter(application__in=names, at__gte=since, **wanted)
    found: dict[_Key, Group] = {}
    rows = (
        stored.values("application", "code", "api", "route")
        .annotate(count=Count("pk"), first=Min("at"), last=Max("at"))
        .order_by("-last")[:MOST_GROUPS]
    )
    for row in rows:
        key = (row["application"], row["code"], row["api"], row["route"])
        found[key] = Group(*key, row["count"], row["first"], row["last"])
    fresh = [
        one
        for one in index.open_segments().exceptions
        if one.application in names
        and one.at >= since
        and all(getattr(one, k) == v for k, v in wanted.items())
    ]
    _add_fresh(found, fresh)
    return sorted(found.values(), key=lambda group: group.last, reverse=True)[:MOST_GROUPS]


def _add_fresh(found: dict[_Key, Group], fresh: Iterable[CallException]) -> None:
    for one in fresh:
        key = (one.application, one.code, one.api, one.route)
        group = found.setdefault(key, Group(*key, 0, one.at, one.at))
        group.count += 1
        group.first, group.last = min(group.first, one.at), max(group.last, one.at)
        group.fresh.append(one)


_ROTATE: Final = {"api_key.expired", "api_key.invalid", "mtls.unknown", "basic_auth.invalid"}
_ASK: Final = {
    "require.scope",
    "require.plan",
    "require.role",
    "quota.exceeded",
    "quota.no_plan",
    "rate_limit.exceeded",
    "model_access.denied",
    "budget.no_plan",
    "token_limit.no_plan",
}
_OF_APPLICATION: Final = {
    **dict.fromkeys(_ROTATE, "Rotate the key"),
    **dict.fromkeys(_ASK, "Request access"),
}
_LEFT: Final = {"budget.exceeded", "token_limit.exceeded"}


def _action(group: Group) -> Action | None:
    if title := _OF_APPLICATION.get(group.code):
        return _of_application(title, group)
    if group.code in _LEFT:
        query = urlencode({"application": group.application})
        return Action("See what is left", f"{reverse('portal_usage')}?{query}#models")
    if group.is_ours:
        return Action("Look at the status", reverse("portal_status"))
    if group.code.startswith("deprecation.") and group.api:
        return Action("See what changed", reverse("portal_versions", args=[group.api]))
    if group.code.startswith(("route.", "schema.", "json_limits.", "request.", "model.")) and group.api:
        return Action("Open the reference", reverse("portal_api", args=[group.api]))
    return None


def _of_application(title: str, group: Group) -> Action:
    try:
        url = reverse("my_application", args=[group.application])
    except NoReverseMatch:
        url = reverse("portal_lesson", args=[group.lesson.name])
    return Action(title, url)


def _time(at: int) -> datetime:
    return moment(at / 1_000_000)
