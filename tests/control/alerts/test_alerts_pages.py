"""The pages of alerts: what is shown, found and changed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from lockgate.control.alerts.models import Alert
from lockgate.control.alerts.services import raise_alert, resolve
from lockgate.control.alerts.settings import choose, chosen
from lockgate.control.analytics.detectors.rules import Finding
from lockgate.control.analytics.watch import Unusual, tell
from lockgate.control.audit.models import Entry

if TYPE_CHECKING:
    from control.people import NewUser, SignIn
    from django.test import Client
    from lockgate.control.accounts.models import User
    from lockgate.control.audit.services import Actor

UNUSUAL = Unusual(
    "api", "orders", 1_800_000_000, Finding("latency", 900.0, 40.0, 20.0, 60.0, 31.2, "hour_of_week", 4)
)


@pytest.fixture
def console(admin: User, sign_in: SignIn) -> Client:
    return sign_in(admin)


def shown(console: Client, path: str) -> str:
    answer = console.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_list_shows_what_is_not_resolved_and_filters_find_the_rest(console: Client, by: Actor) -> None:
    one = raise_alert("latency", "api:orders", {}, applications=["shop"])
    other = raise_alert("scraping", "source:203.0.113.7", {})
    over = raise_alert("traffic_drop", "api:stock", {})
    resolve(by, over.pk)

    def found(query: str) -> set[int]:
        page = shown(console, f"/alerts/{query}")
        return {pk for pk in (one.pk, other.pk, over.pk) if f'href="/alerts/{pk}/"' in page}

    assert found("") == {one.pk, other.pk}
    assert found("?status=all") == {one.pk, other.pk, over.pk}
    assert found("?status=resolved") == {over.pk}
    assert found("?rule=scraping") == {other.pk}
    assert found("?application=shop") == {one.pk}
    assert found("?subject=203.0.113") == {other.pk}
    assert found("?severity=info") == set()
    assert "No alert fits" in shown(console, "/alerts/?severity=info")
    assert found("?status=nothing&cursor=junk") == {one.pk, other.pk}


def test_more_alerts_than_a_page_holds_are_on_the_next_ones_each_once(console: Client) -> None:
    for number in range(120):
        raise_alert("scraping", f"source:203.0.113.{number}", {}, last_at=1_800_000_000_000_000 + number // 7)
    path, seen = "/alerts/", []
    while path:
        page = shown(console, path)
        seen += [
            int(part.split("/", 1)[0]) for part in page.split('<a href="/alerts/')[1:] if part[0].isdigit()
        ]
        more = page.partition('">Older</a>')
        path = "/alerts/" + more[0].rpartition('href="')[2].replace("&amp;", "&") if more[1] else ""
    assert len(seen) == len(set(seen)) == 120


def test_an_anomaly_shows_what_was_seen_and_what_is_usual(console: Client) -> None:
    tell([UNUSUAL])
    page = shown(console, f"/alerts/{Alert.objects.get().pk}/")
    assert "What was seen" in page
    assert "31.2" in page
    assert "What is usual" in page
    assert "40.0" in page
    assert "Block" not in page


def test_a_rule_that_is_off_tells_of_no_anomaly_either(console: Client, by: Actor) -> None:
    choose(by, "latency", is_on=False, threshold=0, window_seconds=0, quiet_seconds=600)
    tell([UNUSUAL])
    assert not Alert.objects.exists()
    assert "No rule has fired" in shown(console, "/alerts/")


def test_what_callers_sent_is_shown_and_not_run(console: Client) -> None:
    sample = {
        "at": int(time.time() * 1e6),
        "request": "1",
        "method": "GET",
        "path": "/<script>alert(1)</script>",
        "code": "api_key.invalid",
        "status": 401,
    }
    counts = {"path": {"/<script>alert(1)</script>": 1}}
    evidence = {"samples": [sample], "counts": counts, "facts": {"Why": "<b>bold</b>"}}
    alert = raise_alert("scraping", "source:203.0.113.7", evidence)
    page = shown(console, f"/alerts/{alert.pk}/")
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page
    assert "<b>bold" not in page


def test_a_rule_is_changed_on_its_page(console: Client) -> None:
    sent = {
        "rule": "scraping",
        "is_on": "on",
        "threshold": "7",
        "window_seconds": "600",
        "quiet_seconds": "900",
    }
    console.post("/alerts/rules/", sent)
    assert chosen()["scraping"].in_words == "7 megabytes within 10 minutes"
    assert Entry.objects.get(action="alert.rule_changed").object == "scraping"
    wrong = console.post("/alerts/rules/", sent | {"threshold": "0"}).content.decode()
    assert "greater than or equal to 1" in wrong
    assert chosen()["scraping"].threshold == 7


def test_the_overview_counts_what_nobody_has_looked_at(
    console: Client, new_user: NewUser, sign_in: SignIn
) -> None:
    raise_alert("latency", "api:orders", {})
    assert '?status=open">1</a>' in shown(console, "/")
    owner = sign_in(new_user("api_owner", "olga@example.com"))
    assert "Open alerts" not in shown(owner, "/")
