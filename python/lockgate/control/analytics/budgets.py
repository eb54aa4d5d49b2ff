"""What is used of budgets and limits of tokens, as far as recorded calls tell.

The gateway counts for itself, with what calls under way have reserved, and says in the `RateLimit` field of
each answer what is left. Recorded use is what calls took that have ended.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, Final

from lockgate.control.access.known import plans, teams
from lockgate.control.analytics.purses import Purse, Window, purses
from lockgate.control.analytics.queries.query import CALLS, Query
from lockgate.control.events.times import between, moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockgate.control.events.times import Span
    from lockgate.control.portal.catalogue import Catalogue

_TOLD: Final = ("application", "team", "model")
"""Whom recorded calls tell apart."""


@dataclass(frozen=True)
class _Took:
    api: str
    version: str
    route: str
    application: str
    model: str
    money: int
    unpriced: int
    tokens: int
    uncounted: int


@dataclass(frozen=True)
class _Taken(Query[_Took]):
    """What calls took, by everything that a budget may be about."""

    name: ClassVar = "taken"
    what: ClassVar = "what calls to models took, by route, application and model"
    row: ClassVar = _Took
    text: ClassVar = f"""
SELECT api, api_version, route, application, model, sum(cost), sum(unpriced),
  sum(input_tokens) + sum(output_tokens), sum(uncounted)
FROM models WHERE {CALLS} GROUP BY api, api_version, route, application, model"""


@dataclass(frozen=True)
class _Refusal:
    api: str
    version: str
    route: str
    application: str
    calls: int


@dataclass(frozen=True)
class _Refusals(Query[_Refusal]):
    """Calls that budgets refused."""

    name: ClassVar = "refusals"
    what: ClassVar = "calls that budgets refused, by route and application"
    row: ClassVar = _Refusal
    text: ClassVar = f"""
SELECT api, api_version, route, application, sum(calls)
FROM reasons WHERE {CALLS} AND code = 'budget.exceeded'
GROUP BY api, api_version, route, application"""


@dataclass
class Spent:
    """What one caller has used of an amount in the time that is under way."""

    purse: Purse
    caller: str
    """An application, a team or a model, whichever is counted."""
    window: Window
    limit: int | None = None
    """Nothing when the caller's plan gives none."""
    used: int = 0
    unknown: int = 0
    """Calls that are not in it, because nobody knows what they took."""
    applications: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Whose calls used how much of it."""

    @property
    def left(self) -> int:
        """What is left."""
        return max(0, (self.limit or 0) - self.used)

    @property
    def share(self) -> float:
        """What share of it is used: 1 when all is."""
        return self.used / self.limit if self.limit else 0.0

    @property
    def percent(self) -> str:
        """That share, in words."""
        return f"{100 * self.share:.0f} %"

    @property
    def in_words(self) -> dict[str, str]:
        """The amounts, as people read them."""
        amount = self.purse.amount
        limit = "none on its plan" if self.limit is None else amount(self.limit)
        return {"used": amount(self.used), "left": amount(self.left), "limit": limit}

    @property
    def ends(self) -> datetime:
        """When the time is over, and a new one begins."""
        return moment(self.window.end)

    @property
    def title(self) -> str:
        """What it is, for people."""
        return f"{'Budget' if self.purse.is_money else 'Token limit'} {self.purse.id}"


def spent(catalogue: Catalogue, now: datetime) -> list[Spent]:
    """What callers have used of each amount, those who are nearest to its end first."""
    found = _all(purses(catalogue), now, {})
    return sorted(found, key=lambda one: (-one.share, one.purse.id, one.caller))


def spent_of(application: str, catalogue: Catalogue, now: datetime) -> list[Spent]:
    """What is used of the amounts that hold for one application, its own and those it shares."""
    team = teams().get(application, "")
    mine = {"application": application, "team": team}
    found = _all(purses(catalogue), now, mine)
    return [
        one
        for one in found
        if one.caller == mine.get(one.purse.by)
        or (one.purse.by == "model" and application in one.applications)
    ]


def untold(catalogue: Catalogue) -> list[Purse]:
    """The amounts whose use nobody but the gateway can tell, by whom or for how long they count."""
    now = datetime.now(UTC)
    return [one for one in purses(catalogue) if one.by not in _TOLD or one.window(now) is None]


def taken(purse: Purse, window: Window, now: datetime) -> dict[str, Spent]:
    """What each caller used of an amount in a time, as far as that is over."""
    return {one.caller: one for one in _of(purse, window, _rows(window, now), {}, teams())}


def refused(purse: Purse, window: Window, now: datetime) -> dict[str, int]:
    """How many calls of each caller budgets refused where this one holds. Such a call names no model."""
    found: dict[str, int] = defaultdict(int)
    span = _span(window, now)
    if span is None or purse.by not in {"application", "team"}:
        return found
    team_of = teams()
    for row in _Refusals(span=span).run():
        if (row.api, row.version, row.route) in purse.routes:
            by_team = purse.by == "team"
            found[team_of.get(row.application, "") if by_team else row.application] += row.calls
    return found


def _all(those: Sequence[Purse], now: datetime, wanted: dict[str, str]) -> list[Spent]:
    plan_of, team_of = plans(), teams()
    found: list[Spent] = []
    rows: dict[Window, list[_Took]] = {}
    for purse in those:
        window = purse.window(now)
        if window is None or purse.by not in _TOLD:
            continue
        if window not in rows:
            rows[window] = _rows(window, now)
        known = {one.caller: one for one in _of(purse, window, rows[window], plan_of, team_of)}
        caller = wanted.get(purse.by, "")
        if caller and caller not in known:
            # Who has used nothing has all of it left.
            limit = _limit(purse, caller, plan_of, team_of)
            known[caller] = Spent(purse, caller, window, limit)
        found += known.values()
    return found


def _rows(window: Window, now: datetime) -> list[_Took]:
    span = _span(window, now)
    return _Taken(span=span).run() if span else []


def _span(window: Window, now: datetime) -> Span | None:
    start, end = moment(window.start), min(moment(window.end), now)
    return between(start, end) if start < end else None


def _of(
    purse: Purse, window: Window, rows: Iterable[_Took], plan_of: dict[str, str], team_of: dict[str, str]
) -> list[Spent]:
    found: dict[str, Spent] = {}
    for row in rows:
        is_of = (row.api, row.version, row.route) in purse.routes and purse.model in {"", row.model}
        callers = {
            "application": row.application,
            "team": team_of.get(row.application, ""),
            "model": row.model,
        }
        caller = callers[purse.by]
        # Callers that are not known are counted by their addresses.
        if not is_of or not caller:
            continue
        if caller not in found:
            found[caller] = Spent(purse, caller, window, _limit(purse, caller, plan_of, team_of))
        one, used = found[caller], row.money if purse.is_money else row.tokens
        one.used += used
        one.unknown += row.unpriced if purse.is_money else row.uncounted
        one.applications[row.application] += used
    return list(found.values())


def _limit(purse: Purse, caller: str, plan_of: dict[str, str], team_of: dict[str, str]) -> int | None:
    """What a caller has; of a team and of a model, what the best plan of an application gives."""
    if purse.by == "application":
        plans_of_caller = {plan_of.get(caller, "")}
    elif purse.by == "team":
        plans_of_caller = {plan_of.get(name, "") for name, team in team_of.items() if team == caller}
    else:
        plans_of_caller = set(purse.by_plan)
    limits = [purse.by_plan[plan] for plan in plans_of_caller if plan in purse.by_plan]
    return max(limits) if limits else purse.limit
