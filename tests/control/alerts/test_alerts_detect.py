"""From recorded calls to alerts: one for each attack, counted once, whoever reads and however often."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from control.alerts.recorded import SECOND, SOURCE, START, Recorded, event, key
from django.template import RequestContext, Template
from django.test import RequestFactory
from lockgate.control.access.models import Application, Membership, Team
from lockgate.control.alerts import detect, settle, windows
from lockgate.control.alerts.detect import look, look_once
from lockgate.control.alerts.models import Alert, AlertApplication, Block, Reading
from lockgate.control.alerts.services import (
    AlertError,
    acknowledge,
    alerts_of,
    raise_alert,
    resolve,
)
from lockgate.control.alerts.settings import choose, chosen
from lockgate.control.audit.models import Entry
from lockgate.control.events.models import CallException
from lockgate.control.notify.models import Message, Notification

if TYPE_CHECKING:
    from control.people import NewUser, Traffic
    from lockgate.control.accounts.models import User
    from lockgate.control.audit.services import Actor

BURST = 5_000


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    return Recorded(monkeypatch)


def burst(number: int = BURST, start: float = 0.0) -> list[dict[str, object]]:
    return [event(start + one / 1_000, **key(one)) for one in range(number)]


def test_a_burst_of_5000_refused_calls_is_one_alert(recorded: Recorded) -> None:
    recorded.add(*burst())
    look()
    alert = Alert.objects.get()
    assert (alert.rule, alert.subject, alert.count) == ("unauthorized_access", f"source:{SOURCE}", BURST)
    assert alert.title == "Unauthorized access attempt: keys are being guessed"
    assert (alert.first_at, alert.last_at) == (START, START + 4_999_000)
    assert alert.evidence["counts"]["api"] == {"orders": BURST}
    assert alert.evidence["fired"]["threshold"] == 10
    assert len(alert.evidence["samples"]) == 10


def test_what_comes_later_is_added_and_nothing_is_counted_twice(recorded: Recorded) -> None:
    recorded.add(*burst(30))
    look()
    look()
    recorded.add(*burst(5, 3.0))
    look()
    recorded.add(*burst(5, 4.0), number=2)
    look()
    alert = Alert.objects.get()
    assert (alert.count, alert.repeats) == (40, 2)
    assert alert.title.endswith("keys are being guessed")


def test_a_process_that_starts_knows_what_was_told_and_what_the_windows_held(recorded: Recorded) -> None:
    recorded.add(*burst(15))
    look()
    count = Alert.objects.get().count
    detect.forget()
    look()
    assert Alert.objects.get().count == count == 15
    detect.forget()
    recorded.add(*burst(3, 5.0))
    look()
    assert Alert.objects.get().count == 18


def test_a_burst_over_the_start_of_a_process_still_reaches_its_threshold(recorded: Recorded) -> None:
    assert chosen()["unauthorized_access"].threshold == 20
    recorded.add(*(event(one) for one in range(12)))
    look()
    assert not Alert.objects.exists()
    detect.forget()
    recorded.add(*(event(one) for one in range(12, 20)))
    look()
    assert Alert.objects.get().evidence["fired"]["seen"] == 20


def test_of_two_who_read_the_same_one_tells(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded.add(*burst(30))
    told = windows.Windows.take

    def overtaken(found: windows.Windows) -> list[object]:
        # Another process has told of these while this one was reading.
        Reading.objects.filter(pk=1).update(segment=f"events-{START:016}-000001.ndjson.zst", events=30)
        return list(told(found))

    monkeypatch.setattr(windows.Windows, "take", overtaken)
    look_once(10)
    Reading.objects.filter(pk=1).update(events=10)
    look_once(10)
    assert not Alert.objects.exists()


def test_rounds_are_bounded_and_go_on_where_the_last_one_ended(recorded: Recorded) -> None:
    recorded.add(*burst(100))
    assert look_once(30) == 30
    assert look_once(30) == 30
    look()
    assert Alert.objects.get().count == 100


def test_a_real_recording_is_followed_while_it_is_written(
    traffic: Traffic, recordings: object, by: Actor
) -> None:
    detect.forget()
    choose(by, "unauthorized_access", is_on=True, threshold=2, window_seconds=60, quiet_seconds=60)
    traffic()
    (sealed,) = recordings.glob("*.zst")  # type: ignore[attr-defined]
    part = sealed.with_name(f"{sealed.name}.part")
    sealed.rename(part)
    look()
    assert Alert.objects.get().count == 2
    part.rename(sealed)
    look()
    assert Alert.objects.get().count == 2


def test_a_rule_that_is_off_tells_nothing_and_the_audit_log_says_who_changed_it(
    recorded: Recorded, by: Actor
) -> None:
    for rule in ("unauthorized_access", "key_guessing"):
        choose(by, rule, is_on=False, threshold=5, window_seconds=60, quiet_seconds=600)
    recorded.add(*burst(100))
    look()
    assert not Alert.objects.exists()
    entry = Entry.objects.filter(action="alert.rule_changed").latest("seq")
    assert (entry.who, entry.object) == (by.who, "key_guessing")
    assert (entry.before, entry.after) == (
        "on; 10 different credentials within 5 minutes; quiet for 15 minutes",
        "off; 5 different credentials within 1 minute; quiet for 10 minutes",
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"threshold": 0}, "the threshold is 0; write 1 to 100000"),
        ({"window_seconds": 5}, "the window is 5; write 10 to 86400"),
        ({"quiet_seconds": 1}, "the quiet time is 1; write 60 to 2592000"),
        ({"rule": "nothing"}, "there is no rule `nothing`"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_with_what_to_write(
    values: dict[str, object], said: str, by: Actor
) -> None:
    usual = {"is_on": True, "threshold": 5, "window_seconds": 60, "quiet_seconds": 60}
    rule = str(values.pop("rule", "unauthorized_access"))
    with pytest.raises(AlertError) as refused:
        choose(by, rule, **(usual | values))  # type: ignore[arg-type]
    assert said in str(refused.value)


def test_an_alert_resolves_by_itself_once_it_is_quiet_and_the_next_burst_is_another_one(
    recorded: Recorded,
) -> None:
    recorded.add(*burst(30))
    look()
    alert = Alert.objects.get()
    settle.resolve_quiet(alert.last_at + 899 * SECOND)
    assert Alert.objects.get().status == "open"
    settle.resolve_quiet(alert.last_at + 900 * SECOND)
    alert.refresh_from_db()
    assert (alert.status, alert.status_by, alert.status_why) == ("resolved", "", "quiet for 15 minutes")
    recorded.add(*burst(30, 1_000.0))
    look()
    assert sorted(Alert.objects.values_list("status", "count")) == [("open", 30), ("resolved", 30)]
    assert Alert.objects.values("fingerprint").distinct().count() == 1


def test_people_are_told_once_when_it_opens_and_when_it_is_over(
    recorded: Recorded, new_user: NewUser
) -> None:
    admin, developer = new_user(), new_user("developer", "bob@example.com")
    recorded.add(*burst(30))
    look()
    recorded.add(*burst(30, 2.0))
    look()
    settle.resolve_quiet(Alert.objects.get().last_at + 900 * SECOND)
    assert list(Message.objects.order_by("pk").values_list("kind", "severity", "resolves")) == [
        ("alert.opened", "critical", False),
        ("alert.resolved", "critical", True),
    ]
    assert Message.objects.earliest("pk").link == f"/alerts/{Alert.objects.get().pk}/"
    assert Notification.objects.filter(user=admin).count() == 2
    assert not Notification.objects.filter(user=developer).exists()


def test_the_people_of_an_application_are_told_of_what_is_about_it_and_see_it_in_the_portal(
    recorded: Recorded, new_user: NewUser
) -> None:
    bob = new_user("developer", "bob@example.com")
    eve = new_user("developer", "eve@example.com")
    team = Team.objects.create(name="retail", title="Retail")
    Membership.objects.create(team=team, user=bob, role="member")
    Application.objects.create(name="shop", title="Shop", team=team, created_by="ada")
    limited = {"code": "rate_limit.exceeded", "status": 429, "application": "shop"}
    recorded.add(*(event(number, **limited) for number in range(60)))
    look()
    told = Notification.objects.get()
    assert (told.user, told.message.kind, told.message.link) == (
        bob,
        "alert.application",
        "/portal/exceptions/",
    )

    def seen(user: User) -> str:
        request = RequestFactory().get("/portal/")
        request.user = user
        page = Template("{% load my_alerts %}{% alerts_of_my_applications %}")
        return page.render(RequestContext(request, {"request": request}))

    assert "Rate limit exceeded</strong>: 60 calls of shop" in seen(bob)
    assert seen(eve).strip() == ""


def test_a_person_acknowledges_and_resolves_and_both_are_in_the_audit_log(by: Actor) -> None:
    alert = raise_alert("latency", "api:orders", {}, count=3)
    acknowledge(by, alert.pk, "looking")
    with pytest.raises(AlertError, match="acknowledged already"):
        acknowledge(by, alert.pk)
    again = raise_alert("latency", "api:orders", {"more": True}, count=2)
    assert (again.pk, again.count, again.status, again.evidence) == (
        alert.pk,
        5,
        "acknowledged",
        {"more": True},
    )
    resolve(by, alert.pk, "fixed")
    with pytest.raises(AlertError, match="resolved already"):
        resolve(by, alert.pk)
    entries = Entry.objects.order_by("seq").values_list("action", "before", "after", "why")
    assert list(entries) == [
        ("alert.acknowledged", "open", "acknowledged", "looking"),
        ("alert.resolved", "acknowledged", "resolved", "fixed"),
    ]
    assert raise_alert("latency", "api:orders", {}).pk != alert.pk


def test_an_unknown_rule_and_an_unknown_alert_are_refused(by: Actor) -> None:
    with pytest.raises(AlertError, match="there is no rule `nothing`"):
        raise_alert("nothing", "api:orders", {})
    with pytest.raises(AlertError, match="there is no alert 7"):
        resolve(by, 7)


def test_the_applications_of_an_alert_are_known_and_each_is_asked_for_its_own() -> None:
    alert = raise_alert("latency", "api:orders", {}, applications={"shop": 3, "kiosk": 1})
    raise_alert("latency", "api:orders", {}, applications=["shop"])
    raise_alert("latency", "api:other", {}, applications=["batch"])
    assert AlertApplication.objects.get(alert=alert, application="shop").count == 3
    assert [one.pk for one in alerts_of(["shop", "kiosk"])] == [alert.pk]
    assert alerts_of([]) == []


def test_the_baseline_is_what_the_source_did_in_the_week_before(recorded: Recorded) -> None:
    for hours in (1, 30, 24 * 8):
        CallException.objects.create(
            at=START - hours * 3_600 * SECOND,
            request=str(hours),
            source=SOURCE,
            status=401,
            code="api_key.invalid",
            alert="unauthorized_access",
        )
    recorded.add(*burst(30))
    look()
    assert Alert.objects.get().baseline == {"what": "such refusals of this source", "day": 1, "week": 2}


def test_a_block_that_has_ended_is_noted_once(by: Actor) -> None:
    now = int(time.time() * 1e6)
    Block.objects.create(target=SOURCE, sort="source", who=by.who, why="a burst", since=now - 9, until=now)
    settle.end_blocks(now - 1)
    assert not Entry.objects.filter(action="block.ended").exists()
    for _ in range(2):
        settle.end_blocks(now)
    (entry,) = Entry.objects.filter(action="block.ended")
    assert (entry.who, entry.object, entry.why) == (
        "gateway",
        f"source {SOURCE}",
        "its time was over",
    )


def test_what_other_nodes_recorded_is_read_once_each_and_goes_on_where_it_ended(recorded: Recorded) -> None:
    recorded.add(*burst(10))
    recorded.add(*burst(15), node="paris-1")
    look()
    assert Alert.objects.get().count == 25
    look()
    detect.forget()
    look()
    assert Alert.objects.get().count == 25
    # Of the segment that it still writes there is more now.
    recorded.add(*burst(5, 1.0), node="paris-1")
    look()
    assert Alert.objects.get().count == 30
    recorded.add(*burst(4, 2.0), node="paris-1", number=2)
    recorded.add(*burst(2, 2.0), node="paris-2")
    look()
    assert Alert.objects.get().count == 36
    row = Reading.objects.get(pk=1)
    assert {node: events for node, (_, events) in row.others.items()} == {"paris-1": 4, "paris-2": 2}


def test_an_alert_about_what_came_late_is_open_for_its_quiet_time(recorded: Recorded) -> None:
    recorded.add(*burst(30), node="paris-1")
    look()
    alert = Alert.objects.get()
    Alert.objects.update(last_at=alert.raised_at - 3_600 * SECOND)
    settle.resolve_quiet(alert.raised_at + 60 * SECOND)
    assert Alert.objects.get().status == "open"
    settle.resolve_quiet(alert.raised_at + 3_600 * SECOND)
    assert Alert.objects.get().status == "resolved"
