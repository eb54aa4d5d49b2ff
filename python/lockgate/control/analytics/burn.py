"""Looks at what is used of budgets, and raises alerts about those that will not last."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from lockgate.control.alerts.models import RESOLVED, Alert
from lockgate.control.alerts.services import fingerprint, raise_alert
from lockgate.control.alerts.settings import chosen
from lockgate.control.analytics import budgets
from lockgate.control.analytics.detectors.spending import BURNS, Burning, Spending, judge, recent
from lockgate.control.analytics.money import unpriced
from lockgate.control.events.times import moment
from lockgate.control.portal.served import read_catalogue

if TYPE_CHECKING:
    from lockgate.control.analytics.budgets import Spent

_MOST: Final = 5
"""So many applications are named with what they used."""


def watch_budgets(now: float | None = None) -> None:
    """Raise an alert about each caller whose budget is used up, nearly, or will not last.

    Args:
        now: The time; the clock's by default.
    """
    at = datetime.now(UTC) if now is None else moment(now)
    rules = chosen()
    told = set()
    # The nearest to its end comes first, and tells for the others of the same caller.
    for one in budgets.spent(read_catalogue(), at):
        if not (one.purse.is_money and one.purse.is_enforced and one.limit):
            continue
        found = _judged(one, one.limit, at)
        subject = f"{one.purse.by}:{one.caller}"
        if found is None or subject in told:
            continue
        told.add(subject)
        if rules[found.rule].is_on and not _is_known(found, subject, one):
            _tell(found, subject, one)


def _judged(one: Spent, limit: int, at: datetime) -> Burning | None:
    second = int(at.timestamp())
    if judge(Spending(limit, one.used, one.used, 1), one.window, second) is None:
        # Whatever was used and refused lately, there is nothing to say.
        return None
    hours = recent(one.window, second)
    lately = budgets.taken(one.purse, hours, at).get(one.caller)
    refused = budgets.refused(one.purse, hours, at).get(one.caller, 0)
    return judge(Spending(limit, one.used, lately.used if lately else 0, refused), one.window, second)


def _is_known(found: Burning, subject: str, one: Spent) -> bool:
    """Whether somebody has resolved this in the same time already, when it was as urgent."""
    same = Alert.objects.filter(fingerprint=fingerprint(found.rule, subject), status=RESOLVED)
    since = one.window.start * 1_000_000
    return same.filter(severity=found.severity, status_at__gte=since).exclude(status_by="").exists()


def _tell(found: Burning, subject: str, one: Spent) -> None:
    unresolved = Alert.objects.filter(unresolved=fingerprint(found.rule, subject))
    raise_alert(
        found.rule,
        subject,
        {"facts": _facts(found, one)},
        # It goes on, and does not happen again.
        count=0 if unresolved.exists() else 1,
        baseline=_before(one),
        # Callers that are not known have no name.
        applications=[name for name in one.applications if name],
        title=found.title,
        severity=found.severity,
    )


def _facts(found: Burning, one: Spent) -> dict[str, str]:
    amount, words = one.purse.amount, one.in_words
    facts = {
        "Budget": f"{one.purse.id}, declared by {one.purse.origin}",
        "Spent": f"{words['used']} of {words['limit']} ({one.percent})",
        "Time": f"{one.purse.span}, until {_time(one.window.end)}",
    }
    if found.empty_at is not None:
        facts["At this pace"] = (
            f"used up at {_time(found.empty_at)}; {amount(found.projected)} by the end of its time"
        )
    elif found.rule == BURNS:
        facts["At this pace"] = f"it lasts: {amount(found.projected)} by the end of its time"
    if one.unknown:
        facts["Not in it"] = unpriced(one.unknown)
    ranked = sorted(one.applications.items(), key=lambda pair: -pair[1])
    if one.purse.by != "application":
        facts["Spent by"] = ", ".join(f"{name or 'unknown'} {amount(used)}" for name, used in ranked[:_MOST])
    return facts


def _before(one: Spent) -> dict[str, str]:
    """What the same caller used of the time before."""
    window = one.purse.window(moment(one.window.start - 1))
    if window is None:
        return {}
    known = budgets.taken(one.purse, window, moment(window.end)).get(one.caller)
    return {"the time before": one.purse.amount(known.used if known else 0)}


def _time(second: int) -> str:
    return f"{moment(second):%Y-%m-%d %H:%M} UTC"
