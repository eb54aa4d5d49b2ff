"""Budgets that will not last: who is told, when, and that steady spending disturbs nobody."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from control.analytics import priced
from control.analytics.recorded import asked, hour_of_yesterday, micros, refused, segment
from lockgate.control.access.models import Application, Team
from lockgate.control.alerts.models import OPEN, RESOLVED, Alert
from lockgate.control.alerts.services import resolve
from lockgate.control.alerts.settings import choose
from lockgate.control.analytics.burn import watch_budgets
from lockgate.control.analytics.detectors.spending import Spending, judge, recent
from lockgate.control.analytics.purses import Window
from lockgate.control.audit.services import Actor
from lockgate.control.portal import served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from control.people import SignIn
    from lockgate.control.accounts.models import User
    from pytest_django.fixtures import Settings

HOUR = 3_600
DAY = Window(0, 24 * HOUR)
MONTH = Window(0, 30 * 24 * HOUR)
LIMIT = 1_000_000
MIDNIGHT = hour_of_yesterday(0)
BY = Actor("ada@example.com", "", frozenset({"alerts:write"}))


def told(
    pace: Callable[[int], float], window: Window = DAY, limit: int = LIMIT
) -> list[tuple[int, str, str]]:
    """What is said of spending that is looked at every ten minutes: hour, rule and severity, as they change.

    Args:
        pace: Gives what is spent in a second of the time, as a share of the limit.
    """
    said: list[tuple[int, str, str]] = []
    used, spent = 0.0, []
    step = 600
    for now in range(step, window.end, step):
        amount = pace(now) * step * limit
        is_refused = used + amount > limit
        used += 0 if is_refused else amount
        spent.append((now, 0 if is_refused else amount))
        hours = recent(window, now)
        lately = sum(amount for at, amount in spent if at > hours.start)
        found = judge(Spending(limit, round(used), round(lately), int(is_refused)), window, now)
        last = said[-1][1:] if said else ("", "")
        now_said = (found.rule, found.severity) if found else ("", "")
        if now_said != last:
            said.append((now // HOUR, *now_said))
    return [one for one in said if one[1]]


def evenly(share: float, window: Window = DAY) -> Callable[[int], float]:
    return lambda _: share / (window.end - window.start)


@pytest.mark.parametrize("window", [DAY, MONTH], ids=["a day", "a month"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.79])
def test_steady_spending_that_lasts_disturbs_nobody(share: float, window: Window) -> None:
    assert told(evenly(share, window), window) == []


def test_spending_that_is_nearly_all_and_lasts_is_told_once_and_softly() -> None:
    assert told(evenly(0.95)) == [(20, "budget_burn", "info")]


def test_a_day_of_work_and_a_quiet_night_disturb_nobody() -> None:
    def office(now: int) -> float:
        return 0.7 / (9 * HOUR) if 8 * HOUR <= now < 17 * HOUR else 0

    assert [one for one in told(office) if one[2] == "critical"] == []
    assert told(lambda now: office(now) / 2) == []


def test_spending_that_is_too_fast_is_told_long_before_all_is_gone() -> None:
    ahead, up = told(evenly(3))
    # A third of the day would do; a tenth of the budget and a twentieth of the day are waited for.
    assert ahead == (1, "budget_burn", "warning")
    assert up == (8, "budget_used_up", "critical")


def test_spending_that_turns_fast_is_told_while_something_is_left() -> None:
    said = told(lambda now: 0.5 / DAY.end if now < 12 * HOUR else 4 / DAY.end)
    assert said[0][1:] == ("budget_burn", "warning")
    assert 12 <= said[0][0] <= 16
    assert said[-1][1:] == ("budget_used_up", "critical")


def test_a_burst_that_is_over_is_not_projected() -> None:
    # A third of the budget in the first two hours, and nothing after.
    said = told(lambda now: 0.34 / (2 * HOUR) if now < 2 * HOUR else 0)
    assert {rule for _, rule, _ in said} == {"budget_burn"}
    window, now = DAY, 4 * HOUR
    assert judge(Spending(LIMIT, 340_000, 0, 0), window, now) is None


def test_an_hour_is_too_short_to_be_projected_and_is_told_when_it_is_used_up() -> None:
    assert [rule for _, rule, _ in told(evenly(2, Window(0, HOUR)), Window(0, HOUR))][-1] == "budget_used_up"
    assert judge(Spending(LIMIT, 500_000, 500_000, 0), Window(0, HOUR), 600) is None


def test_a_budget_that_refuses_is_used_up_before_the_last_of_it_is_spent() -> None:
    nearly = Spending(LIMIT, 960_000, 0, 3)
    found = judge(nearly, DAY, 23 * HOUR)
    assert found is not None
    assert (found.rule, found.severity) == ("budget_used_up", "critical")
    # One call that asked for far too much is no sign of that.
    assert judge(Spending(LIMIT, 100_000, 0, 3), DAY, 23 * HOUR) is None


@pytest.fixture
def document(tmp_path: Path, settings: Settings) -> Iterator[Path]:
    yield priced.serve(tmp_path, settings.LOCKGATE.state)
    served.forget()


def spend(recordings: Path, costs: Mapping[int, int], number: int = 1, **said: Any) -> None:
    """Let `shop` spend so much in hours of yesterday; the budget of its day has 100,000."""
    at = micros(MIDNIGHT)
    events = [
        asked(at + (hour * HOUR + 60 * place) * 1_000_000, call={"cost": cost // 10}, **said)
        for hour, cost in costs.items()
        for place in range(10)
    ]
    segment(recordings, events, number)


def look(hour: float) -> list[Alert]:
    watch_budgets((MIDNIGHT + timedelta(hours=hour)).timestamp())
    return list(Alert.objects.order_by("pk"))


@pytest.mark.usefixtures("document")
def test_steady_spending_raises_no_alert(recordings: Path) -> None:
    spend(recordings, dict.fromkeys(range(24), 3_000))
    for hour in (1, 6, 12, 18, 23.9):
        assert look(hour) == []


@pytest.mark.usefixtures("document")
def test_spending_that_will_not_last_raises_one_alert_with_its_evidence(recordings: Path) -> None:
    spend(recordings, dict.fromkeys(range(5), 10_000))
    (alert,) = look(5)
    assert (alert.rule, alert.subject, alert.severity) == ("budget_burn", "application:shop", "warning")
    facts = alert.evidence["facts"]
    assert facts["Budget"] == "purse, declared by api ai"
    assert facts["Spent"] == "0.050 USD of 0.10 USD (50 %)"
    assert facts["At this pace"].startswith(f"used up at {MIDNIGHT:%Y-%m-%d} 10:00 UTC; 0.24 USD by the end")
    assert alert.baseline == {"the time before": "0.00 USD"}
    assert [one.application for one in alert.applications.all()] == ["shop"]
    # It goes on: the same alert, of one event.
    (again,) = look(5.2)
    assert (again.pk, again.count, again.repeats) == (alert.pk, 1, 1)


@pytest.mark.usefixtures("document")
def test_a_budget_that_is_used_up_is_an_alert_of_its_own(recordings: Path) -> None:
    spend(recordings, dict.fromkeys(range(5), 19_000))
    assert [one.rule for one in look(5)] == ["budget_burn"]
    out = [
        refused(
            micros(MIDNIGHT + timedelta(hours=5)) + place,
            "budget.exceeded",
            429,
            api="ai",
            route="chat",
            application="shop",
        )
        for place in range(3)
    ]
    segment(recordings, out, number=2)
    burns, up = look(5.1)
    assert (up.rule, up.severity, up.status) == ("budget_used_up", "critical", OPEN)
    assert burns.repeats == 0
    # A new day begins with all of it.
    assert len(look(24.5)) == 2


@pytest.mark.usefixtures("document")
def test_what_somebody_resolved_is_not_raised_again_on_the_same_day(recordings: Path) -> None:
    spend(recordings, dict.fromkeys(range(5), 10_000))
    (alert,) = look(5)
    resolve(BY, alert.pk, "they know")
    assert [one.status for one in look(5.5)] == [RESOLVED]


@pytest.mark.usefixtures("document")
def test_a_team_is_named_with_who_spent_what(recordings: Path, tmp_path: Path, settings: Settings) -> None:
    text = priced.DOCUMENT.replace("per: month, by: team, mode: shadow", "per: day, by: team").replace(
        "limit: 10 USD", "limit: 0.05 USD"
    )
    priced.serve(tmp_path, settings.LOCKGATE.state, text)
    web = Team.objects.create(name="web", title="Web")
    for name in ("shop", "mobile"):
        Application.objects.create(name=name, title=name, team=web, created_by="ada@example.com")
    spend(recordings, {0: 30_000})
    spend(recordings, {1: 18_000}, number=2, application="mobile")
    (alert,) = [one for one in look(3) if one.subject == "team:web"]
    assert alert.severity == "warning"
    assert alert.evidence["facts"]["Spent by"] == "shop 0.030 USD, mobile 0.018 USD"
    assert {one.application for one in alert.applications.all()} == {"shop", "mobile"}


@pytest.mark.usefixtures("document")
def test_a_rule_that_is_off_raises_nothing(recordings: Path) -> None:
    spend(recordings, dict.fromkeys(range(5), 10_000))
    choose(BY, "budget_burn", is_on=False, threshold=0, window_seconds=0, quiet_seconds=900)
    assert look(5) == []


@pytest.mark.usefixtures("document")
def test_its_page_shows_what_was_seen_and_what_is_usual(
    recordings: Path, admin: User, sign_in: SignIn
) -> None:
    spend(recordings, dict.fromkeys(range(5), 10_000))
    (alert,) = look(5)
    page = sign_in(admin).get(f"/alerts/{alert.pk}/").content.decode()
    assert "A budget burns fast" in page
    assert "0.050 USD of 0.10 USD (50 %)" in page
    assert "The time before" in page
