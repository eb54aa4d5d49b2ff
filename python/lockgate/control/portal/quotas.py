"""How much of its quotas an application has used, as far as the recording tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lockgate.control.access.models import Subscription
from lockgate.control.portal import usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.control.portal.catalogue import Catalogue
    from lockgate.control.portal.usage import Key, Sum


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


def quotas(application: str, catalogue: Catalogue, now: datetime) -> list[Quota]:
    """The quotas that hold for an application: those of its plans, and those of the APIs that it calls."""
    counted = usage.usage([application], _begin("month", now))
    active = list(
        Subscription.objects.filter(
            application__name=application, state=Subscription.State.ACTIVE
        ).select_related("plan")
    )
    found = []
    for one in active:
        plan = one.plan
        if plan.quota and plan.quota_per in _SPANS:
            used = _used(counted, plan.apis, None, _begin(plan.quota_per, now))
            found.append(Quota(f"Plan {plan.title}", plan.quota_per, plan.quota, used))
    plans = {one.plan.name for one in active}
    for api, version in sorted({(key[1], key[2]) for key in counted}):
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
                used = _used(counted, [api], version, _begin(str(said["per"]), now))
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


def _used(counted: dict[Key, Sum], apis: Iterable[str], version: str | None, since: datetime) -> int:
    """Calls that were let through: refused ones use nothing up."""
    wanted = set(apis)
    return sum(
        one.calls - one.refused
        for (bucket, api, called, _), one in counted.items()
        if api in wanted and version in {None, called} and bucket >= since.timestamp()
    )
