"""The pages of analytics: what they show, to whom, and how they sort without a script."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from control.analytics.recorded import event, micros, refused, segment
from lockgate.control.analytics import shown
from lockgate.control.analytics.queries import QUERIES
from lockgate.control.console.reasons import reason
from lockgate.control.console.templatetags.told import in_code
from lockgate.control.guards import HEADERS

if TYPE_CHECKING:
    from pathlib import Path

    from control.people import NewUser, SignIn
    from django.test import Client
    from lockgate.control.accounts.models import User

PAGES = [page.name for page in shown.PAGES]


@pytest.fixture
def client(admin: User, sign_in: SignIn) -> Client:
    return sign_in(admin)


@pytest.fixture
def recorded(recordings: Path) -> None:
    at = micros(datetime.now(UTC) - timedelta(hours=2))
    calls = [event(at + place, api="orders", latency_us=9_000) for place in range(6)]
    calls += [event(at + 10 + place, api="stock", application="mobile") for place in range(3)]
    segment(recordings, [*calls, refused(at + 20), refused(at + 21, "rate_limit.exceeded", 429)])


def shown_at(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("span", ["last_24_hours", "last_7_days", "last_30_days"])
def test_each_page_shows_what_was_recorded_just_now(client: Client, name: str, span: str) -> None:
    page = shown_at(client, f"/analytics/{name}/?range={span}")
    for table in shown.BY_NAME[name].tables:
        assert f'id="{table.query.name}"' in page
    assert "<script" not in page.replace('<script src="', "")
    assert " style=" not in page
    assert "<style" not in page


@pytest.mark.usefixtures("recorded")
def test_a_chart_says_what_it_shows_and_has_its_numbers_beside_it(client: Client) -> None:
    page = shown_at(client, "/analytics/")
    assert "11 calls, 2 of them exceptions (18.2 %)." in page
    assert 'role="img"' in page
    assert "<summary>The numbers</summary>" in page
    columns = re.findall(r"<title>[^<]*: (\d+) calls</title>", page)
    assert sum(map(int, columns)) == 11
    assert "var(--answered)" in page


@pytest.mark.usefixtures("recorded")
def test_tables_are_in_the_order_that_is_asked_for(client: Client) -> None:
    def apis(path: str) -> list[str]:
        page = shown_at(client, path)
        section = page[page.index('id="traffic_by_api"') : page.index('id="traffic_by_application"')]
        return re.findall(r'/exceptions/\?api=(\w+)"', section)

    assert apis("/analytics/") == ["orders", "stock"]
    assert apis("/analytics/?sort=traffic_by_api.calls") == ["stock", "orders"]
    assert apis("/analytics/?sort=traffic_by_api.-value") == ["stock", "orders"]
    page = shown_at(client, "/analytics/?sort=traffic_by_api.-calls")
    assert page.count('aria-sort="descending"') == 1
    assert "?sort=traffic_by_api.calls#traffic_by_api" in page
    for nonsense in ("x", "traffic_by_api.__class__", "traffic_by_api.", "a.b.c"):
        assert "aria-sort" not in shown_at(client, f"/analytics/?sort={nonsense}")


@pytest.mark.usefixtures("recorded")
def test_remedies_are_shown_with_what_is_to_be_typed_as_code(client: Client) -> None:
    page = shown_at(client, "/analytics/refusals/")
    remedies = [in_code(reason(code).remedy) for code in ("api_key.missing", "rate_limit.exceeded")]
    assert any("<code>" in remedy for remedy in remedies)
    assert all(f"<td>{remedy}</td>" in page for remedy in remedies)


@pytest.mark.usefixtures("recorded")
def test_filters_hold_for_charts_and_tables_and_are_kept_from_page_to_page(client: Client) -> None:
    page = shown_at(client, "/analytics/?range=last_7_days&application=mobile")
    assert "3 calls, 0 of them exceptions" in page
    assert "/analytics/latency/?range=last_7_days&amp;application=mobile" in page
    assert "No calls fit" in shown_at(client, "/analytics/?api=nothing")


@pytest.mark.usefixtures("recorded")
def test_text_of_others_stays_text(client: Client, recordings: Path) -> None:
    odd = "<img src=x onerror=1>"
    at = micros(datetime.now(UTC) - timedelta(hours=1))
    segment(recordings, [event(at, application=odd, api=odd, route=odd)], number=2)
    for name in PAGES:
        assert "<img" not in shown_at(client, f"/analytics/{name}/").replace('<img src="/', "")


def test_an_empty_page_says_what_to_do(client: Client, settings: object, recordings: Path) -> None:
    recordings.mkdir(parents=True)
    page = shown_at(client, "/analytics/")
    assert "There is nothing to draw in this time" in page
    assert "No calls fit in this time" in page
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"recording": None})  # type: ignore[attr-defined]
    assert "The document records nothing" in shown_at(client, "/analytics/")


@pytest.mark.usefixtures("recorded")
def test_each_role_sees_what_it_may(new_user: NewUser, sign_in: SignIn) -> None:
    owner = sign_in(new_user("api_owner", "owner@example.com"))
    page = shown_at(owner, "/analytics/")
    assert "/analytics/sources/" not in page
    assert 'href="/exceptions/' not in page
    assert owner.get("/analytics/sources/").status_code == 403
    developer = sign_in(new_user("developer", "dev@example.com"))
    assert developer.get("/analytics/").status_code == 403


def test_a_page_that_is_not_there_is_not_found(client: Client) -> None:
    assert client.get("/analytics/nothing/").status_code == 404
    assert client.get("/analytics/traffic/?range=nonsense").status_code == 200


def test_nothing_of_the_pages_needs_an_exception_of_the_policy() -> None:
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    assert "style-src" not in HEADERS["Content-Security-Policy"]


def test_every_query_is_on_a_page_or_needs_a_question_of_its_own() -> None:
    on_pages = {table.query for page in shown.PAGES for table in page.tables}
    series = {query for query in QUERIES if "over_time" in query.name}
    rest = {query.name for query in QUERIES} - {query.name for query in on_pages | series}
    assert rest == {
        "traffic_summary",
        "traffic_by_hour_of_week",
        "models_summary",
        "slowest_calls",
        "applications_seen",
        "source_activity",
    }
