"""One's own exceptions, usage, notices and status: of one's applications, and of no others."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from control.analytics.recorded import event, micros, refused, segment
from control.portal.shop import KEY
from django.utils import timezone
from lockgate.control.accounts.roles import permissions_of
from lockgate.control.analytics.models import Part
from lockgate.control.analytics.worker import take_recording
from lockgate.control.audit.models import Entry
from lockgate.control.audit.services import Actor
from lockgate.control.events import index
from lockgate.control.events.worker import read_recording
from lockgate.control.feedback.models import Thread
from lockgate.control.notify.models import Message, Notification
from lockgate.control.portal import notices, quotas, usage
from lockgate.control.portal.models import Notice
from lockgate.control.portal.notices import Upcoming
from lockgate.control.portal.served import read_catalogue
from lockgate.replays import Group, RouteName, Said, Sample

if TYPE_CHECKING:
    from pathlib import Path

    from control.people import NewUser, SignIn
    from control.portal.conftest import NewApplication
    from django.test import Client
    from lockgate import Gateway
    from lockgate.control.accounts.models import User
    from lockgate.replays import Change
    from pytest_django.fixtures import Settings

BY = Actor("sec@example.com", "", permissions_of("security_engineer"))


@pytest.fixture
def person(new_user: NewUser, new_application: NewApplication) -> User:
    user = new_user("developer", "dev@example.com")
    new_application(user)
    return user


@pytest.fixture
def developer(person: User, sign_in: SignIn) -> Client:
    return sign_in(person)


@pytest.fixture
def calls(gateway: Gateway) -> None:
    """Two good calls to v2, one to v1, one without the scope, one without a key; recorded."""
    url = gateway.urls["public"]
    key = {"X-Api-Key": KEY}
    for path, headers in (
        ("/sales/v2/orders", key),
        ("/sales/v2/orders/1", key),
        ("/sales/v1/orders", key),
        ("/sales/v2/orders", {}),
    ):
        httpx.get(url + path, headers=headers)
    httpx.post(f"{url}/sales/v2/orders", headers=key, json={})
    gateway.stop(5.0)


def shown(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.usefixtures("calls")
def test_exceptions_are_grouped_with_words_remedy_and_an_action(developer: Client) -> None:
    page = shown(developer, "/portal/exceptions/")
    assert page.count("<article") == 1
    assert "Scope missing" in page
    assert "<strong>What to do:</strong>" in page
    assert 'href="/portal/applications/storefront/">Request access' in page
    assert "/portal/learn/permissions/" in page


@pytest.mark.usefixtures("calls")
def test_exceptions_that_are_not_sealed_yet_are_seen_and_counted_once(developer: Client) -> None:
    assert "1 call, 1 kind" in shown(developer, "/portal/exceptions/")
    index.index_new()
    assert "1 call, 1 kind" in shown(developer, "/portal/exceptions/")


@pytest.mark.usefixtures("state")
def test_many_kinds_of_exceptions_are_shown_a_page_at_a_time(developer: Client, settings: Settings) -> None:
    now = micros(timezone.now())
    kinds = [
        refused(now - at * 1_000_000, application="storefront", api="orders", route=f"GET /orders/{at}")
        for at in range(45, 0, -1)
    ]
    segment(settings.LOCKGATE.recording, kinds)
    first, last = (shown(developer, f"/portal/exceptions/?days=7&page={page}") for page in (1, 3))
    assert "45 calls, 45 kinds. These are 1 to 20" in first
    assert "GET /orders/1<" in first
    assert "GET /orders/21<" not in first
    assert 'href="?application=&amp;days=7&amp;page=2">Older' in first
    assert "These are 41 to 45" in last
    assert "GET /orders/45<" in last
    assert "Older" not in last


@pytest.mark.usefixtures("calls", "person")
def test_nobody_sees_exceptions_of_others(new_user: NewUser, sign_in: SignIn) -> None:
    other = sign_in(new_user("developer", "eve@example.com"))
    assert "You have no application yet" in shown(other, "/portal/exceptions/?application=storefront")
    group = "application=storefront&code=require.scope&api=orders&route=POST+%2Forders"
    answer = other.post("/portal/exceptions/dispute/", {"group": group}, follow=True)
    assert "not yours" in answer.content.decode()
    assert not Thread.objects.exists()


@pytest.mark.usefixtures("calls")
def test_a_refusal_is_disputed_with_one_click_once(developer: Client) -> None:
    group = "application=storefront&code=require.scope&api=orders&route=POST+%2Forders"
    page = developer.post("/portal/exceptions/dispute/", {"group": group}, follow=True).content.decode()
    thread = Thread.objects.get()
    assert (thread.kind, thread.code, thread.application) == ("dispute", "require.scope", "storefront")
    assert thread.facts["samples"][0]["path"] == "/sales/v2/orders"
    assert "POST /sales/v2/orders" in page
    again = shown(developer, "/portal/exceptions/")
    assert "Disputed: waits for an answer" in again
    assert 'name="group"' not in again


@pytest.mark.usefixtures("calls")
def test_usage_is_counted_once_whether_it_is_in_parquet_or_not(developer: Client) -> None:
    def counted() -> dict[tuple[str, int, int], int]:
        found = usage.usage(["storefront"], timezone.now() - timedelta(days=1))
        return {(one.version, one.calls, one.refused): one.failed for one in found}

    expected = {("v2", 3, 1): 0, ("v1", 1, 0): 0}
    assert counted() == expected
    read_recording()
    take_recording()
    take_recording()
    assert Part.objects.count() == 1
    assert counted() == expected
    assert usage.usage([], timezone.now() - timedelta(days=1)) == []
    page = shown(developer, "/portal/usage/")
    assert "API by API" in page
    assert "4 calls, 1 of them exceptions (25.0 %)." in page


def test_what_a_service_failed_is_no_refusal_whatever_code_it_has(state: Path, settings: Settings) -> None:
    at = micros(timezone.now() - timedelta(minutes=10))
    events = [
        event(at),
        event(at + 1, status=500),
        event(at + 2, status=502, code="upstream.failed"),
        event(at + 3, status=0, code="upstream.failed"),
        refused(at + 4, "policy.undecided", 503, application="shop"),
        refused(at + 5, "rate_limit.exceeded", 429, application="shop"),
        refused(at + 6, "route.not_found", 404, api=None, application="shop"),
    ]
    segment(settings.LOCKGATE.recording, events)
    (one,) = usage.usage(["shop", "nobody"], timezone.now() - timedelta(days=1))
    assert (one.calls, one.refused, one.failed) == (6, 1, 4)
    assert usage.together([one, one]) == usage.Sum(12, 2, 8)
    assert state.is_dir()


@pytest.mark.usefixtures("calls", "person")
def test_what_is_left_of_a_quota_is_told() -> None:
    (one,) = quotas.quotas("storefront", read_catalogue(), timezone.now())
    # The refused call used nothing up.
    assert (one.title, one.per, one.limit, one.left) == ("Orders v2", "month", 1_000, 998)


@pytest.mark.usefixtures("calls")
def test_who_calls_an_ending_version_is_told_how_often(developer: Client) -> None:
    page = shown(developer, "/portal/apis/orders/versions/v1/")
    assert "The web shop made <strong>1</strong> call to it" in page
    assert "your applications called it 1 time" in shown(developer, "/portal/")


@pytest.mark.usefixtures("calls")
def test_a_failing_service_is_on_the_status_page(developer: Client) -> None:
    page = shown(developer, "/portal/status/")
    assert "not known now" in page
    assert page.count("<rect") == 48


def group(application: str | None = "storefront", calls: int = 3, change: Change = "newly_refused") -> Group:
    sample = Sample(
        id="r1", at=1_795_000_000_000_000, method="DELETE", path="/x", client=None, detail="no scope"
    )
    return Group(
        change=change,
        application=application,
        route=RouteName(api="orders", version="v2", id="DELETE /orders/{id}"),
        policy=None,
        before=Said(decision="forward", code=None),
        after=Said(decision="refuse", code="require.scope"),
        requests=calls,
        first=sample.at,
        last=sample.at,
        status=403,
        remedy=None,
        samples=[sample],
    )


def test_a_change_is_told_to_those_whose_calls_it_would_have_refused(
    developer: Client, person: User, new_user: NewUser, sign_in: SignIn
) -> None:
    change = Upcoming("c1", "Only writers delete", "Because.", timezone.now() + timedelta(days=7))
    notices.publish(change, [group(), group("other"), group(None), group(change="newly_allowed")], BY)
    (told,) = Notification.objects.filter(user=person)
    assert "would have refused 3 calls of storefront" in told.message.title
    page = shown(developer, "/portal/notices/")
    assert "Only writers delete" in page
    assert "DELETE /x" in page
    other = sign_in(new_user("developer", "eve@example.com"))
    assert "Only writers delete" not in shown(other, "/portal/notices/")
    assert "Only writers delete" in shown(developer, "/portal/")


def test_a_change_has_one_notice_and_is_told_again_to_new_ones_only(person: User) -> None:
    change = Upcoming("c1", "Only writers delete")
    notices.publish(change, [group()], BY)
    notices.publish(change, [group(calls=5)], BY)
    assert Notice.objects.get().effects.get().calls == 5
    assert Notification.objects.filter(user=person).count() == 1
    notices.take_effect("c1", BY)
    notices.take_effect("c1", BY)
    assert list(Message.objects.order_by("pk").values_list("kind", flat=True)) == [
        "notice.upcoming",
        "notice.live",
    ]
    assert Entry.objects.filter(action__startswith="notice.").count() == 3


def test_a_change_that_refuses_nothing_tells_nobody() -> None:
    assert notices.publish(Upcoming("c2", "Harmless"), [group(change="newly_allowed")], BY) is None
    assert not Notice.objects.exists()
    notices.withdraw("c2", BY)
