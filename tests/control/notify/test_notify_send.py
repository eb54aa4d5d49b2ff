"""Who learns of an event, and by what way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction
from django.utils import timezone
from lockgate.control.access.models import Application, Membership, Team
from lockgate.control.notify import services
from lockgate.control.notify.configuration import MailSettings
from lockgate.control.notify.event import TOPICS, Event, Holders, topic_of
from lockgate.control.notify.models import Channel, Delivery, Message, Notification, Preference

if TYPE_CHECKING:
    from control.people import NewUser
    from lockgate.control.accounts.models import User
    from pytest_django.fixtures import Settings

MAIL = MailSettings(
    scheme="smtp", host="127.0.0.1", port=25, user="", password="", sender="lockgate@example.com"
)


@pytest.fixture
def mail(settings: Settings) -> None:
    settings.LOCKGATE_MAIL = MAIL


def event(*to: Any, **more: Any) -> Event:
    return replace(
        Event(
            kind="alert.opened",
            title="Unauthorized access attempt",
            text="212 calls",
            link="/alerts/7/",
            to=to,
        ),
        **more,
    )


def channel(owner: User | None = None, *topics: str) -> Channel:
    return Channel.objects.create(
        owner=owner, name="ops", kind="webhook", topics=topics or ("alert",), url="", sealed=""
    )


def test_a_person_is_told_once_however_often_they_are_named(admin: User) -> None:
    services.send(event(admin, Holders("traffic:read"), admin))
    assert (Notification.objects.get().user, services.unread(admin)) == (admin, 1)


def test_those_who_hold_a_permission_are_told_and_nobody_else(admin: User, new_user: NewUser) -> None:
    auditor = new_user("auditor", "auditor@example.com")
    new_user("developer", "dev@example.com")
    gone = new_user("auditor", "gone@example.com")
    gone.is_active = False
    gone.save()
    services.send(event(Holders("audit:read")))
    told = Notification.objects.values_list("user__email", flat=True)
    assert sorted(told) == sorted([admin.email, auditor.email])


def test_the_people_of_an_applications_team_are_told(new_user: NewUser) -> None:
    team = Team.objects.create(name="shop", title="Shop")
    Application.objects.create(name="web", title="Web", team=team, created_by="x")
    ann, bob = new_user("developer", "ann@example.com"), new_user("developer", "bob@example.com")
    Membership.objects.create(team=team, user=ann, role="member")
    services.send(event("web", "nothing"))
    assert (services.unread(ann), services.unread(bob)) == (1, 0)


def test_channels_of_the_installation_take_what_is_for_those_who_run_it(admin: User) -> None:
    ops, mine, other = channel(), channel(admin), channel(None, "feedback")
    services.send(event(admin))
    assert [one.channel for one in Delivery.objects.all()] == [mine]
    services.send(event(Holders("audit:read")))
    assert {one.channel for one in Delivery.objects.all()} == {ops, mine}
    assert not other.deliveries.exists()


def test_a_disabled_channel_takes_nothing(admin: User) -> None:
    mine = channel(admin)
    mine.disabled_at = timezone.now()
    mine.save()
    services.send(event(admin))
    assert not Delivery.objects.exists()


@pytest.mark.usefixtures("mail")
def test_a_person_chooses_by_topic(admin: User) -> None:
    Preference.objects.create(user=admin, topic="alert", portal=False, mail=True)
    Preference.objects.create(user=admin, topic="feedback", portal=True, mail=False)
    services.send(event(admin))
    assert (Notification.objects.count(), Delivery.objects.get().user) == (0, admin)
    services.send(event(admin, kind="feedback.answered"))
    assert (Notification.objects.count(), Delivery.objects.count()) == (1, 1)


def test_without_a_mail_server_no_mail_waits(admin: User) -> None:
    services.send(event(admin))
    assert not Delivery.objects.exists()


@pytest.mark.usefixtures("mail")
def test_what_has_one_key_is_counted_and_delivered_once(admin: User) -> None:
    for number in range(3):
        services.send(event(admin, key="alert 7", text=f"{number} calls"))
    message = Message.objects.get()
    assert (message.times, message.text, Delivery.objects.count()) == (3, "2 calls", 1)
    services.send(event(admin, key="alert 7", resolves=True))
    services.send(event(admin, key="alert 7"))
    assert Message.objects.count() == 3
    Message.objects.update(at=timezone.now() - timedelta(hours=2))
    services.send(event(admin, key="alert 7"))
    assert Message.objects.count() == 4


def test_what_comes_again_is_unread_for_whoever_was_not_told_before(admin: User, new_user: NewUser) -> None:
    bob = new_user("auditor", "bob@example.com")
    services.send(event(admin, key="alert 7"))
    services.send(event(admin, bob, key="alert 7"))
    assert (services.unread(admin), services.unread(bob)) == (1, 1)


def test_what_is_rolled_back_was_never_told(admin: User) -> None:
    with transaction.atomic():
        services.send(event(admin))
        transaction.set_rollback(True)
    assert not Message.objects.exists()


def test_notifications_are_read_one_by_one_or_all_and_by_their_owner(admin: User, new_user: NewUser) -> None:
    bob = new_user("auditor", "bob@example.com")
    for _ in range(3):
        services.send(event(admin))
    first = Notification.objects.order_by("pk")[0]
    services.read(bob, first.pk)
    assert services.unread(admin) == 3
    services.read(admin, first.pk)
    assert services.unread(admin) == 2
    services.read(admin)
    assert services.unread(admin) == 0


def test_each_kind_has_a_topic() -> None:
    assert [topic_of(f"{topic.name}.x") for topic in TOPICS] == [topic.name for topic in TOPICS]
    assert topic_of("moon.rises") == "other"
