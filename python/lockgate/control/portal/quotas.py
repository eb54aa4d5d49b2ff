"""How much of its quotas an application has used, as far as the recording tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from lockgate.control.access.models import Subscription
from lockgate.control.portal import usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.control.portal.catalogue import Catalogue
    from lockgate.control.portal.usage import Used


@dataclass(frozen=True)
class Quota:
    """A quota, and what is used of it."""

    title: str
    per: str
    limit: int
    used: int

    @property
    def left(self) -> int:
        """How many calls are left."""
        return max(0, self.limit - self.used)

    @property
    def share(self) -> float:
        """What share of it is used: 1 when all is."""
        return min(1.0, self.used / self.limit) if self.limit else 1.0


def quotas(application: str, catalogue: Catalogue, now: datetime) -> list[Quota]:
    """The quotas that hold for an application: those of its plans, and those of the APIs that it calls."""

    @cache
    def counted(per: str) -> list[Used]:
        return usage.usage([application], _begin(per, now))

    active = list(
        Subscription.objects.filter(
            application__name=application, state=Subscription.State.ACTIVE
        ).select_related("plan")
    )
    found = []
    for one in active:
        plan = one.plan
        if plan.quota and plan.quota_per in _SPANS:
            used = _used(counted(plan.quota_per), plan.apis, None)
            found.append(Quota(f"Plan {plan.title}", plan.quota_per, plan.quota, used))
    plans = {one.plan.name for one in active}
    for api, version in sorted({(one.api, one.version) for one in counted("month")}):
        known = catalogue.api(api)
        served = known.version(version) if known else None
        for policy in served.everywhere if served else ():
            said = policy.settings
            if policy.kind != "quota" or not policy.is_enforced or said.get("per") not in _SPANS:
                continue
            by_plan = said.get("by_plan")
            limits = [by_plan[name] for name in plans & set(by_plan)] if isinstance(by_plan, dict) else []
            limit = limits[0] if limits else said.get("limit")
            if isinstance(limit, int) and limit > 0:
                used = _used(counted(str(said["per"])), [api], version)
                title = f"{known.title if known else api} {version}"
                found.append(Quota(title, str(said["per"]), limit, used))
    return found


_SPANS = ("hour", "day", "week", "month")


def _begin(per: str, now: datetime) -> datetime:
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    return {
        "hour": hour,
        "day": day,
        "week": day - timedelta(days=day.weekday()),
        "month": day.replace(day=1),
    }[per]


def _used(counted: Iterable[Used], apis: Iterable[str], version: str | None) -> int:
    """Calls that were let through: refused ones use nothing up."""
    wanted = set(apis)
    return sum(
        one.calls - one.refused for one in counted if one.api in wanted and version in {None, one.version}
    )
