"""Telling: who is to learn of an event, and by what way. Deliveries are made later, by the worker."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.utils import timezone

from lockgate.control.accounts.models import User
from lockgate.control.accounts.roles import ROLES, permissions_of
from lockgate.control.notify import mail, teams
from lockgate.control.notify.event import TOPICS, Holders, Owners, topic_of
from lockgate.control.notify.models import Channel, Delivery, Message, Notification, Preference
from lockgate.control.owners.people import people_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.control.notify.event import Event

SAME_WITHIN: Final = timedelta(hours=1)
"""Of several events of one kind and key, those after the first are counted and not delivered for so long."""
BATCH: Final = timedelta(seconds=10)
"""How long what can be batched waits for more."""
_BY_MAIL: Final = {topic.name: topic.mail for topic in TOPICS}


@transaction.atomic
def send(event: Event) -> None:
    """Tell people and channels of an event, each by the ways that they chose.

    It belongs to the transaction of the caller: what is rolled back was never told.
    """
    people = _people(event)
    if same := _same(event):
        _again(same, event, people)
        return
    message = Message.objects.create(
        kind=event.kind[:64],
        topic=topic_of(event.kind),
        title=event.title[:200],
        text=event.text[:10_000],
        link=event.link[:500],
        data=dict(event.data),
        key=event.key[:200],
        severity=event.severity,
        resolves=event.resolves,
    )
    _notify(message, people)
    later = timezone.now() + BATCH
    deliveries = [
        Delivery(message=message, channel=channel, next_at=later if _batches(channel) else timezone.now())
        for channel in _channels(event, message.topic, people)
    ]
    if mail.is_on():
        mailed = _who_want(people, message.topic, "mail", default=_BY_MAIL[message.topic])
        deliveries += [Delivery(message=message, user=user, next_at=later) for user in mailed]
    Delivery.objects.bulk_create(deliveries)


def unread(user: User) -> int:
    """How many notifications a person has not read."""
    return Notification.objects.filter(user=user, read_at=None).count()


@transaction.atomic
def read(user: User, pk: int | None = None) -> None:
    """Mark a notification as read, or all of them."""
    waiting = Notification.objects.filter(user=user, read_at=None)
    if pk is not None:
        waiting = waiting.filter(pk=pk)
    waiting.update(read_at=timezone.now())


def _same(event: Event) -> Message | None:
    if not event.key:
        return None
    since = timezone.now() - SAME_WITHIN
    found = Message.objects.select_for_update().filter(key=event.key[:200], at__gt=since).order_by("-at")
    last = found.first()
    # What ended and begins again is told again.
    if last is None or (last.kind, last.resolves) != (event.kind[:64], event.resolves):
        return None
    return last


def _again(message: Message, event: Event, people: list[User]) -> None:
    """Count it, and have what was not delivered yet say the newest."""
    message.times += 1
    message.title, message.text, message.data = event.title[:200], event.text[:10_000], dict(event.data)
    message.save(update_fields=["times", "title", "text", "data"])
    _notify(message, people)


def _people(event: Event) -> list[User]:
    wanted: set[int] = set()
    names: list[str] = []
    for one in event.to:
        if isinstance(one, User):
            wanted.add(one.pk)
        elif isinstance(one, Holders):
            wanted.update(_holders(one.permission))
        elif isinstance(one, Owners):
            owners = {user.pk for user in people_of(one.api, one.permission)}
            wanted.update(owners or _holders(one.permission))
        else:
            names.append(one)
    wanted.update(teams.people_of(names))
    return list(User.objects.filter(pk__in=wanted, is_active=True).order_by("pk"))


def _holders(permission: str) -> set[int]:
    roles = [role.name for role in ROLES if permission in permissions_of(role.name)]
    return set(User.objects.filter(role__in=roles).values_list("pk", flat=True))


def _channels(event: Event, topic: str, people: list[User]) -> Iterable[Channel]:
    """Channels of these people, and those of the installation for what those who run it should know."""
    working = Channel.objects.filter(disabled_at=None)
    found = list(working.filter(owner__in=people))
    if any(isinstance(one, Holders | Owners) for one in event.to):
        found += working.filter(owner=None)
    return [channel for channel in found if topic in channel.topics]


def _notify(message: Message, people: list[User]) -> None:
    told = _who_want(people, message.topic, "portal", default=True)
    Notification.objects.bulk_create(
        [Notification(message=message, user=user) for user in told], ignore_conflicts=True
    )


def _who_want(people: list[User], topic: str, way: str, *, default: bool) -> list[User]:
    chosen = dict(Preference.objects.filter(user__in=people, topic=topic).values_list("user_id", way))
    return [user for user in people if chosen.get(user.pk, default)]


def _batches(channel: Channel) -> bool:
    """Whether several messages go out as one; webhooks have one each, so that ids tell them apart."""
    return channel.kind in {Channel.Kind.SLACK, Channel.Kind.ALERTMANAGER}
