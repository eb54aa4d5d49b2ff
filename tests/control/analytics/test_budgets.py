"""Budgets and limits of tokens: what recorded calls have used of them, and what is left."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from control.analytics import priced
from control.analytics.recorded import asked, hour_of_yesterday, micros, segment
from django.conf import settings
from django.test import Client
from lockgate.control.access.models import Application, Plan, Subscription, Team
from lockgate.control.analytics import budgets
from lockgate.control.analytics.money import dollars
from lockgate.control.analytics.purses import Purse, purses
from lockgate.control.events.times import moment
from lockgate.control.portal import served
from lockgate.control.portal.catalogue import Catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from control.people import NewToken
    from lockgate.control.analytics.budgets import Spent
    from pytest_django.fixtures import Settings

NOON = hour_of_yesterday()
AT = micros(NOON)
NOW = NOON + timedelta(minutes=50)
MINUTE = 60_000_000


@pytest.fixture(autouse=True)
def document(tmp_path: Path, settings: Settings) -> Iterator[Path]:
    yield priced.serve(tmp_path, settings.LOCKGATE.state)
    served.forget()


@pytest.fixture
def recorded(recordings: Path) -> None:
    gold = Plan.objects.create(name="gold", title="Gold", apis=["ai"], scopes=[])
    web = Team.objects.create(name="web", title="Web")
    for name in ("shop", "mobile"):
        one = Application.objects.create(name=name, title=name, team=web, created_by="ada@example.com")
        if name == "mobile":
            Subscription.objects.create(application=one, plan=gold, state="active", asked_by="a")
    events = [
        asked(AT, call={"cost": 60_000}),
        asked(AT + MINUTE, "best", call={"cost": 30_000}),
        asked(AT + 2 * MINUTE, call={"cost": None}),
        asked(AT + 3 * MINUTE, application="mobile", call={"cost": 500_000}),
        asked(AT + 4 * MINUTE, application=None, call={"cost": 900_000}),
        asked(AT + 5 * MINUTE, api_version="v2", call={"cost": 700_000, "input_tokens": 300}),
        # Another API, and the day before.
        asked(AT + 6 * MINUTE, api="other", call={"cost": 5_000_000}),
        asked(AT - 86_400_000_000, call={"cost": 5_000_000}),
    ]
    segment(recordings, sorted(events, key=lambda one: one["at"]))


def found(**only: str) -> dict[tuple[str, str], Spent]:
    """What is used, by policy and caller."""
    every = budgets.spent(served.read_catalogue(), NOW)
    return {
        (one.purse.id, one.caller): one
        for one in every
        if all(getattr(one.purse, name) == value for name, value in only.items())
    }


@pytest.mark.usefixtures("recorded")
def test_a_budget_of_a_day_is_used_by_the_calls_of_that_day_and_api_alone() -> None:
    one = found(origin="api ai")["purse", "shop"]
    assert (one.used, one.limit, one.left, one.unknown) == (90_000, 100_000, 10_000, 1)
    assert (one.percent, one.title) == ("90 %", "Budget purse")
    assert one.in_words == {"used": "0.090 USD", "left": "0.010 USD", "limit": "0.10 USD"}
    assert one.ends == (NOON + timedelta(hours=12))


@pytest.mark.usefixtures("recorded")
def test_the_limit_is_that_of_the_callers_plan() -> None:
    one = found(origin="api ai")["purse", "mobile"]
    assert (one.used, one.limit) == (500_000, 2_000_000)


@pytest.mark.usefixtures("recorded")
def test_a_version_counts_by_its_own_in_its_own_time_zone() -> None:
    purse, tokens = (found(origin="version ai/v2")[name, "shop"] for name in ("purse", "tokens"))
    assert (purse.used, purse.limit) == (700_000, 5_000_000)
    begins = moment(purse.window.start).astimezone(ZoneInfo("Asia/Kolkata"))
    assert (begins.weekday(), begins.hour, begins.minute) == (0, 0, 0)
    assert (tokens.used, tokens.limit, tokens.in_words["left"]) == (320, 500, "180 tokens")
    assert tokens.window.end - tokens.window.start == 7_200


@pytest.mark.usefixtures("recorded")
def test_teams_and_models_share_what_they_have() -> None:
    team = found()["team-purse", "web"]
    # The day before may be of the month before.
    before = 5_000_000 if NOON.day > 1 else 0
    assert team.used == 1_290_000 + before
    assert not team.purse.is_enforced
    assert set(team.applications) == {"shop", "mobile"}
    model = found()["dear", "best"]
    assert (model.used, model.purse.model) == (30_000, "best")


@pytest.mark.usefixtures("recorded")
def test_who_is_counted_in_a_way_that_calls_do_not_tell_is_named_and_not_guessed() -> None:
    assert {one.id for one in budgets.untold(served.read_catalogue())} == {"rate", "visitors"}
    assert not {"rate", "visitors"} & {policy for policy, _ in found()}
    assert "" not in {caller for _, caller in found()}


@pytest.mark.usefixtures("recorded")
def test_an_application_sees_its_own_and_what_it_shares() -> None:
    def mine(name: str) -> dict[tuple[str, str], int]:
        every = budgets.spent_of(name, served.read_catalogue(), NOW)
        return {(one.purse.id, one.caller): one.used for one in every if one.purse.origin != "version ai/v2"}

    shared = found()["team-purse", "web"].used
    assert mine("shop") == {
        ("purse", "shop"): 90_000,
        ("team-purse", "web"): shared,
        ("dear", "best"): 30_000,
    }
    assert mine("mobile") == {("purse", "mobile"): 500_000, ("team-purse", "web"): shared}
    # Who has used nothing has all of it left; an application of nobody has no team.
    assert mine("other") == {("purse", "other"): 0}


def test_without_calls_nothing_is_used() -> None:
    assert found() == {}
    served.forget()
    assert len(purses(served.read_catalogue())) == 7


def purse(per: str, zone: str = "UTC") -> Purse:
    return Purse("budget", "p", "gateway", "enforce", 1, {}, per, zone, "application", frozenset())


@pytest.mark.parametrize(
    ("per", "zone", "now", "start", "end"),
    [
        ("hour", "UTC", "2026-11-25T21:10:00", "2026-11-25T21:00:00", "2026-11-25T22:00:00"),
        ("day", "Europe/Berlin", "2026-11-25T23:10:00", "2026-11-25T23:00:00", "2026-11-26T23:00:00"),
        # The day on which clocks are put back has 25 hours.
        ("day", "Europe/Berlin", "2026-10-25T12:00:00", "2026-10-24T22:00:00", "2026-10-25T23:00:00"),
        ("week", "UTC", "2026-11-29T23:59:00", "2026-11-23T00:00:00", "2026-11-30T00:00:00"),
        ("month", "UTC", "2026-12-31T12:00:00", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        ("15m", "UTC", "2026-11-25T21:10:00", "2026-11-25T21:00:00", "2026-11-25T21:15:00"),
    ],
)
def test_a_time_begins_and_ends_as_the_gateway_counts_it(
    per: str, zone: str, now: str, start: str, end: str
) -> None:
    window = purse(per, zone).window(datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert window is not None
    times = [moment(second).isoformat().removesuffix("+00:00") for second in (window.start, window.end)]
    assert times == [start, end]


@pytest.mark.parametrize(
    ("per", "zone"), [("1m", "UTC"), ("7m", "UTC"), ("500ms", "UTC"), ("day", "No/Where")]
)
def test_a_time_that_recorded_use_does_not_tell_has_no_window(per: str, zone: str) -> None:
    assert purse(per, zone).window(NOW) is None


@pytest.mark.parametrize(
    ("micros_", "text"),
    [
        (0, "0.00 USD"),
        (82, "0.000082 USD"),
        (4_200, "0.0042 USD"),
        (12_300_000, "12.30 USD"),
        (1_234_567_890_000, "1,234,567.89 USD"),
    ],
)
def test_money_says_something_however_little_it_is(micros_: int, text: str) -> None:
    assert dollars(micros_) == text


@pytest.mark.usefixtures("recorded")
def test_budgets_can_be_asked_for_by_programs(new_token: NewToken, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    headers = {"Authorization": f"Bearer {new_token('traffic:read')}"}
    answer = Client().get("/api/v1/analytics/budgets", headers=headers)
    assert answer.status_code == 200, answer.content
    rows: list[dict[str, Any]] = json.loads(answer.content)
    assert [row["used"] for row in rows if row["caller"] == "mobile"] == [500_000]
    assert rows[0]["policy"] == "purse"
    assert rows[0]["left"] == 10_000
    assert settings.LOCKGATE.state.exists()
    refused = Client().get(
        "/api/v1/analytics/budgets", headers={"Authorization": f"Bearer {new_token('audit:read')}"}
    )
    assert refused.status_code == 403


def test_what_an_older_lockgate_kept_of_a_document_can_be_read() -> None:
    policy = {"id": "purse", "kind": "budget", "mode": "enforce", "share": 10_000, "settings": {}}
    policy["settings"] = {"limit": "1 USD", "per": "day"}
    route = {
        "id": "chat",
        "path": "/ai",
        "methods": [],
        "upstreams": [],
        "fields": [],
        "policies": [policy],
    }
    version = {"base": "/ai", "hosts": [], "openapi": None, "routes": [route]}
    catalogue = Catalogue({"apis": {"ai": {"title": "AI", "guides": [], "versions": {"v1": version}}}})
    (one,) = purses(catalogue)
    assert (one.limit, one.origin, one.where, one.model) == (1_000_000, "", "", "")
    assert catalogue.apis[0].versions[0].models == ()
