"""What an application's calls to models took, and what is left of its budgets and limits of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lockgate.control.access.models import Subscription
from lockgate.control.analytics import budgets, drawn
from lockgate.control.analytics.money import UNKNOWN, dollars
from lockgate.control.analytics.queries.models import (
    ModelsSummary,
    ModelUsageByApplication,
    ModelUsageByDay,
)
from lockgate.control.events.times import between, moment

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

    from lockgate.control.analytics.budgets import Spent
    from lockgate.control.analytics.charts import Chart
    from lockgate.control.analytics.purses import Purse
    from lockgate.control.analytics.queries.models import Use
    from lockgate.control.portal.catalogue import Api, Catalogue

MOST_DAYS: Final = 90
"""How many rows by day and model are shown."""


@dataclass(frozen=True)
class Took:
    """What calls took, as a page shows it. Who answered for a model is not told."""

    model: str
    use: Use
    day: datetime | None = None

    @property
    def cost(self) -> str:
        """The money that is known of."""
        return UNKNOWN if self.use.cost is None else dollars(self.use.cost)


@dataclass(frozen=True)
class Spending:
    """What an application's calls to models took in a time, and what it has left now."""

    whole: Took
    models: list[Took]
    days: list[Took]
    chart: Chart
    budgets: list[Spent]
    untold: list[Purse]
    """Budgets and limits whose use only the gateway can tell."""
    apis: list[Api]
    """The APIs through which it may ask models."""

    @property
    def is_shown(self) -> bool:
        """Whether models are any business of the application."""
        return bool(self.whole.use.calls or self.budgets or self.apis)


def spending(
    application: str, called: Iterable[str], catalogue: Catalogue, now: datetime, since: timedelta
) -> Spending:
    """What there is to say to those who have an application.

    Args:
        application: Whose calls.
        called: The APIs that it calls.
        catalogue: What is served.
        now: The end of the time.
        since: How long it is.
    """
    reach = {*called, *_subscribed(application)}
    apis = [one for one in catalogue.apis if one.name in reach and any(v.models for v in one.versions)]
    span = between(now - since, now)
    whole = ModelsSummary(span=span, application=application).run()[0]
    by_model = ModelUsageByApplication(span=span, application=application).run()
    by_day = ModelUsageByDay(span=span, application=application, limit=MOST_DAYS).run()
    chart = drawn.chart("cost", span, application=application)
    held = budgets.spent_of(application, catalogue, now)
    return Spending(
        Took("", whole),
        [Took(one.model, one) for one in by_model],
        [Took(one.model, one, moment(one.day)) for one in by_day],
        chart,
        [one for one in held if one.used or reach & set(one.purse.apis)],
        [one for one in budgets.untold(catalogue) if one.is_enforced and reach & set(one.apis)],
        apis,
    )


def _subscribed(application: str) -> set[str]:
    """The APIs of the plans that an application is on."""
    active = Subscription.objects.filter(
        application__name=application, state=Subscription.State.ACTIVE
    ).select_related("plan")
    return {api for one in active for api in one.plan.apis}
