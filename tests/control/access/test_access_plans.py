"""Plans, requests and their decisions, and warnings before a credential expires."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from lockgate.control.access import applications, credentials, expiry, plans, subscriptions, teams
from lockgate.control.access.models import Application, Credential, Plan, Subscription
from lockgate.control.accounts.errors import AccountError, ForbiddenError
from lockgate.control.audit.models import Entry
from lockgate.control.notify.models import Notification

if TYPE_CHECKING:
    from control.access.conftest import Give, NewActor
    from control.access.site import Node
    from lockgate.control.audit.services import Actor


@pytest.fixture
def shop(dora: Actor) -> Application:
    return applications.create(dora, name="web-shop", title="Web shop", team="web")


@pytest.fixture
def gold(olaf: Actor) -> Plan:
    return plans.create(
        olaf,
        name="gold",
        title="Gold",
        apis=["orders"],
        scopes=["orders:read"],
        rate_limit=3,
        rate_per="1h",
        quota=1_000,
        quota_per="month",
    )


def told(actor: Actor) -> list[str]:
    found = Notification.objects.filter(user__email=actor.who).order_by("pk")
    return [one.message.title for one in found.select_related("message")]


def test_a_request_waits_for_somebody_else_and_both_sides_are_told(
    dora: Actor, olaf: Actor, shop: Application, gold: Plan
) -> None:
    asked = subscriptions.ask(dora, shop.name, plan=gold.name, reason="for the new page")
    assert asked.state == Subscription.State.REQUESTED
    assert told(olaf) == ["Web shop asks for Gold"]
    subscriptions.decide(olaf, asked.pk, approve=True, answer="welcome")
    asked.refresh_from_db()
    assert (asked.state, asked.decided_by) == (Subscription.State.ACTIVE, olaf.who)
    assert told(dora) == ["Web shop is on Gold"]
    entry = Entry.objects.get(action="subscription.approved")
    assert (entry.who, entry.why) == (olaf.who, "welcome")


def test_a_refused_request_gives_nothing_and_can_be_made_again(
    dora: Actor, olaf: Actor, shop: Application, gold: Plan
) -> None:
    asked = subscriptions.ask(dora, shop.name, plan=gold.name)
    subscriptions.decide(olaf, asked.pk, approve=False, answer="not for tests")
    assert told(dora) == ["Web shop was refused Gold"]
    with pytest.raises(AccountError, match=r"was decided by olaf@example\.com already"):
        subscriptions.decide(olaf, asked.pk, approve=True)
    assert subscriptions.ask(dora, shop.name, plan=gold.name).state == Subscription.State.REQUESTED


def test_nobody_decides_about_a_request_of_their_own_team(
    dora: Actor, olaf: Actor, shop: Application, gold: Plan, new_actor: NewActor
) -> None:
    teams.join(olaf, teams.invite(dora, "web", email=olaf.who))
    asked = subscriptions.ask(dora, shop.name, plan=gold.name)
    with pytest.raises(ForbiddenError, match="a request of your own team"):
        subscriptions.decide(olaf, asked.pk, approve=True)
    admin = new_actor("platform_admin", "ada@example.com")
    other = subscriptions.ask(admin, shop.name, plan=_free(olaf).name)
    assert other.state == Subscription.State.ACTIVE
    subscriptions.end(dora, asked.pk)
    again = subscriptions.ask(admin, shop.name, plan=gold.name)
    with pytest.raises(ForbiddenError, match="a request of your own team"):
        subscriptions.decide(admin, again.pk, approve=True)


def test_a_plan_with_an_owner_is_decided_by_that_owner(
    dora: Actor, olaf: Actor, shop: Application, gold: Plan, new_actor: NewActor
) -> None:
    plans.change(olaf, gold.name, owner=olaf.who)
    other = new_actor("api_owner", "otto@example.com")
    asked = subscriptions.ask(dora, shop.name, plan=gold.name)
    assert told(other) == []
    with pytest.raises(ForbiddenError, match=r"are decided by olaf@example\.com"):
        subscriptions.decide(other, asked.pk, approve=True)
    assert subscriptions.decide(olaf, asked.pk, approve=True).state == Subscription.State.ACTIVE


def test_a_developer_decides_nothing(dora: Actor, shop: Application, gold: Plan) -> None:
    asked = subscriptions.ask(dora, shop.name, plan=gold.name)
    with pytest.raises(ForbiddenError, match="decided by API owners"):
        subscriptions.decide(dora, asked.pk, approve=True)
    with pytest.raises(ForbiddenError, match="plans are made by API owners"):
        plans.create(dora, name="mine", apis=["orders"])


def test_a_plan_of_the_same_api_takes_the_place_of_the_one_before(
    dora: Actor, olaf: Actor, shop: Application, gold: Plan
) -> None:
    first = subscriptions.ask(dora, shop.name, plan=_free(olaf).name)
    second = subscriptions.ask(dora, shop.name, plan=gold.name)
    first.refresh_from_db()
    assert first.state == Subscription.State.ACTIVE
    subscriptions.decide(olaf, second.pk, approve=True)
    first.refresh_from_db()
    assert (first.state, first.answer) == (Subscription.State.ENDED, "gold takes its place")


def test_a_closed_plan_keeps_those_who_are_on_it(
    dora: Actor, olaf: Actor, shop: Application, give: Give
) -> None:
    give(shop.name)
    plans.change(olaf, "gold", is_open=False)
    assert shop.subscriptions.get().state == Subscription.State.ACTIVE
    applications.create(dora, name="other", title="", team="web")
    with pytest.raises(AccountError, match="takes no new subscriptions"):
        subscriptions.ask(dora, "other", plan="gold")


def test_one_asks_once(dora: Actor, olaf: Actor, shop: Application, gold: Plan) -> None:
    asked = subscriptions.ask(dora, shop.name, plan=gold.name)
    with pytest.raises(AccountError, match="`web-shop` asked already for `gold`"):
        subscriptions.ask(dora, shop.name, plan=gold.name)
    subscriptions.decide(olaf, asked.pk, approve=True)
    with pytest.raises(AccountError, match="`web-shop` is on `gold`"):
        subscriptions.ask(dora, shop.name, plan=gold.name)


def test_the_document_says_whether_it_holds_callers_to_a_plan(node: Node, gold: Plan) -> None:
    assert plans.missing(gold, plans.served()) == ["quota"]
    rate, quota = plans.policies(gold).splitlines()
    text = node.document.read_text()
    line = next(line for line in text.splitlines() if "gold-rate" in line)
    indent = line[: line.index("-")]
    assert line.strip() == rate
    node.document.write_text(text.replace(line, f"{line}\n{indent}{quota}"))
    node.reload()
    assert plans.missing(gold, plans.served()) == []


def test_a_plan_is_for_apis_of_the_document(node: Node, olaf: Actor) -> None:
    node.reload()
    with pytest.raises(AccountError, match="has no API `ordres`; there are: orders, stock"):
        plans.create(olaf, name="gold", apis=["ordres"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"apis": []}, "for 1 to 50 APIs"),
        ({"scopes": ["a b"]}, "`a b` is not a scope"),
        ({"rate_limit": 3, "rate_per": "minute"}, "`minute` is not a time for a rate"),
        ({"quota": 3, "quota_per": "1m"}, "`1m` is not a time for a quota"),
        ({"quota": 0, "quota_per": "day"}, "a limit is from 1 to"),
        ({"owner": "dora@example.com"}, "dora@example.com cannot decide about requests"),
    ],
)
@pytest.mark.usefixtures("dora")
def test_a_plan_that_makes_no_sense_is_refused(olaf: Actor, given: dict[str, Any], message: str) -> None:
    with pytest.raises(AccountError, match=message):
        plans.create(olaf, **{"name": "gold", "apis": ["orders"], **given})


def test_teams_are_told_30_7_and_1_days_before_a_key_expires_and_once_each(
    dora: Actor, shop: Application
) -> None:
    credential = credentials.issue(dora, shop.name, days=40, label="production").credential
    for days, said in ((31, []), (30, ["in 30 days"]), (8, []), (7, ["in 7 days"]), (1, ["tomorrow"])):
        Credential.objects.filter(pk=credential.pk).update(
            expires_at=timezone.now() + timedelta(days=days, minutes=-1)
        )
        before = len(told(dora))
        for _ in range(2):
            expiry.warn()
        news = told(dora)[before:]
        assert news == [f"A key of Web shop expires {when}" for when in said]


def test_nobody_is_warned_of_a_key_that_was_replaced_revoked_or_made_for_a_week(
    dora: Actor, shop: Application
) -> None:
    replaced = credentials.issue(dora, shop.name)
    credentials.rotate(dora, replaced.credential.pk)
    credentials.revoke(dora, credentials.issue(dora, shop.name, days=40).credential.pk)
    credentials.issue(dora, shop.name, days=7)
    expiry.warn()
    assert told(dora) == []


@pytest.mark.parametrize(
    ("left", "step"),
    [(timedelta(days=31), None), (timedelta(days=30), 30), (timedelta(days=7), 7), (timedelta(hours=1), 1)],
)
def test_the_steps_before_the_end(left: timedelta, step: int | None) -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    assert expiry.step(now + left, now) == step


def _free(olaf: Actor) -> Plan:
    return plans.create(olaf, name="free", apis=["orders"], needs_approval=False)
