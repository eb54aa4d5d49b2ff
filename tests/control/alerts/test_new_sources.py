"""From recorded calls to alerts about where applications call from: weeks in Parquet, then as it comes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from control.analytics.placed import database
from control.analytics.recorded import event, segment
from lockgate.control.access.models import Application, Membership, Team
from lockgate.control.alerts import detect, new_sources
from lockgate.control.alerts.detect import look
from lockgate.control.alerts.models import Alert
from lockgate.control.alerts.preview import Target
from lockgate.control.alerts.services import AlertError, resolve
from lockgate.control.alerts.settings import choose
from lockgate.control.alerts.suggestion import suggestion
from lockgate.control.analytics import tail, taking
from lockgate.control.events import index
from lockgate.control.notify.models import Notification

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from control.people import NewUser, SignIn
    from django.test import Client
    from lockgate.control.accounts.models import User
    from lockgate.control.audit.services import Actor

DAY = 86_400
HOME, OTHER, AWAY = "192.0.2.1", "192.0.2.200", "203.0.113.9"
NETWORK = "203.0.113.0/24"


@pytest.fixture(autouse=True)
def now() -> Iterator[int]:
    detect.forget()
    yield int(time.time())
    detect.forget()


@pytest.fixture
def console(admin: User, sign_in: SignIn) -> Client:
    return sign_in(admin)


def calls(second: int, many: int, **said: Any) -> list[dict[str, Any]]:
    return [event(second * 1_000_000 + one, **said) for one in range(many)]


def history(recordings: Path, now: int, days: int = 20, **said: Any) -> None:
    """An application that has called from one network, and is in Parquet."""
    events = [one for day in range(days, 0, -1) for one in calls(now - day * DAY, 10, **said)]
    segment(recordings, events, 1)
    assert index.index_new() == 0
    assert taking.take_new() == 0
    look()


def now_calls(recordings: Path, now: int, *clients: str, number: int = 2, **said: Any) -> None:
    """Calls in the segment that is being written."""
    events = [
        one for place, client in enumerate(clients) for one in calls(now + place, 1, client=client, **said)
    ]
    sealed = segment(recordings, events, number)
    sealed.rename(f"{sealed}.part")
    tail.forget()
    look()


def test_a_call_from_a_new_network_raises_an_alert_with_what_is_known(recordings: Path, now: int) -> None:
    history(recordings, now)
    now_calls(recordings, now, HOME, OTHER, AWAY, AWAY, path="/orders/7")
    alert = Alert.objects.get()
    assert (alert.rule, alert.subject, alert.title) == ("new_source", "application:shop", "A new source")
    assert (alert.severity, alert.count) == ("info", 2)
    assert alert.first_at == (now + 2) * 1_000_000
    assert alert.evidence["counts"]["source"] == {AWAY: 2}
    said = alert.evidence["facts"]["New network"]
    assert said.startswith(f"{NETWORK}, at 20")
    assert said.endswith(" UTC: GET /orders/7 of orders")
    assert alert.evidence["facts"]["Country"] == "not known: no database of countries is set"
    assert alert.baseline["Known networks"].startswith("192.0.2.0/24 (202, last ")
    assert list(alert.applications.values_list("application", "count")) == [("shop", 2)]


def test_further_calls_belong_to_it_also_after_a_start(recordings: Path, now: int) -> None:
    history(recordings, now)
    now_calls(recordings, now, AWAY)
    now_calls(recordings, now + 5, AWAY, AWAY, number=3)
    detect.forget()
    now_calls(recordings, now + 9, AWAY, "198.51.100.3", number=4)
    alert = Alert.objects.get()
    assert alert.count == 5
    assert [one["network"] for one in alert.evidence["new"]] == [NETWORK, "198.51.100.0/24"]
    assert alert.evidence["facts"]["New network 2"].startswith("198.51.100.0/24, at 20")


def test_once_somebody_has_looked_the_network_is_known(recordings: Path, now: int, by: Actor) -> None:
    history(recordings, now)
    now_calls(recordings, now, AWAY)
    resolve(by, Alert.objects.get().pk, "the new data centre")
    now_calls(recordings, now + 5, AWAY, number=3)
    detect.forget()
    now_calls(recordings, now + 9, AWAY, number=4)
    assert Alert.objects.get().count == 1


def test_what_was_read_before_a_start_is_known_and_not_told_again(recordings: Path, now: int) -> None:
    history(recordings, now)
    now_calls(recordings, now, AWAY)
    Alert.objects.all().delete()
    detect.forget()
    now_calls(recordings, now + 5, AWAY, number=3)
    assert not Alert.objects.exists()


def test_a_new_country_is_told_as_such(recordings: Path, now: int, tmp_path: Path, settings: Any) -> None:
    file = tmp_path / "countries.mmdb"
    database(file, {"192.0.2.0/24": {"country": "DE"}, NETWORK: {"country": {"iso_code": "BR"}}})
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"countries": file})
    history(recordings, now)
    now_calls(recordings, now, AWAY)
    alert = Alert.objects.get()
    assert (alert.title, alert.severity) == ("A new country", "warning")
    assert alert.evidence["facts"]["New network"].startswith(f"{NETWORK} in BR, a new country, at 20")
    assert alert.baseline["Known countries"].startswith("DE (200, last ")


def test_an_application_that_is_hardly_known_raises_nothing_and_the_page_says_so(
    recordings: Path, now: int, console: Client
) -> None:
    history(recordings, now, days=6)
    now_calls(recordings, now, AWAY)
    assert not Alert.objects.exists()
    page = console.get("/alerts/rules/").content.decode()
    assert "Still being learned, until there are 7 days and 50 calls: shop." in page
    assert "Countries are not known: start with <code>--countries FILE</code>" in page


def test_the_page_says_who_is_watched_and_who_comes_from_everywhere(recordings: Path, now: int) -> None:
    everywhere = [
        one
        for day in range(15, 0, -1)
        for one in calls(now - day * DAY, 5, application="phones", client=f"10.0.{day}.1")
    ]
    segment(recordings, everywhere, 5)
    history(recordings, now)
    watched, roams, _ = new_sources.said(now)
    assert watched == "Watched: shop."
    assert roams.endswith("so that one more is no news: phones.")
    now_calls(recordings, now, AWAY, application="phones", number=7)
    assert not Alert.objects.exists()


def test_without_a_recording_the_page_says_that_nobody_is_watched(console: Client) -> None:
    assert "No application is watched yet." in console.get("/alerts/rules/").content.decode()


def test_a_rule_that_is_off_tells_nothing(recordings: Path, now: int, by: Actor) -> None:
    choose(by, "new_source", is_on=False, threshold=0, window_seconds=0, quiet_seconds=3_600)
    history(recordings, now)
    now_calls(recordings, now, AWAY)
    assert not Alert.objects.exists()


def test_its_people_are_told_to_change_their_keys(recordings: Path, now: int, new_user: NewUser) -> None:
    bob = new_user("developer", "bob@example.com")
    team = Team.objects.create(name="retail", title="Retail")
    Membership.objects.create(team=team, user=bob, role="member")
    Application.objects.create(name="shop", title="Shop", team=team, created_by="ada")
    history(recordings, now)
    now_calls(recordings, now, AWAY)
    told = Notification.objects.get(user=bob).message
    assert told.link == "/portal/applications/"
    assert "change its keys" in told.text


def test_the_page_offers_to_block_the_network_alone(
    recordings: Path, now: int, console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    history(recordings, now)
    now_calls(recordings, now, AWAY)
    alert = Alert.objects.get()
    page = console.get(f"/alerts/{alert.pk}/").content.decode()
    assert f"Block {NETWORK}" in page
    assert "it would have refused 1 call of 1 application (shop)" in page
    ordered = []

    def block(_: Actor, what: str, **__: Any) -> None:
        ordered.append(what)
        raise AlertError(what)

    monkeypatch.setattr("lockgate.control.alerts.actions.block", block)
    form = {"do": "block", "seconds": "3600"}
    console.post(f"/alerts/{alert.pk}/", {**form, "network": NETWORK})
    console.post(f"/alerts/{alert.pk}/", form)
    answer = console.post(f"/alerts/{alert.pk}/", {**form, "network": "0.0.0.0/8"}, follow=True)
    assert ordered == [NETWORK, "shop"]
    assert "this alert is not about `0.0.0.0/8`; nothing was done" in answer.content.decode()


def test_a_change_begins_with_the_network_kept_out_in_shadow(recordings: Path, now: int) -> None:
    history(recordings, now)
    now_calls(recordings, now, AWAY)
    found = suggestion(Alert.objects.get())
    assert found is not None
    assert found.policy["kind"] == "ip_filter"
    assert found.policy["deny"] == [NETWORK]
    assert found.policy["mode"] == "shadow"


def test_a_network_is_named_as_the_node_names_it() -> None:
    assert Target.read("2001:db8:0::/48").name == "2001:db8::/48"
    assert Target.read("192.0.2.7").name == "192.0.2.7"
