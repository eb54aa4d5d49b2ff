"""Making, changing and trying channels. Each change and its audit entry stand or fall together."""

from __future__ import annotations

import secrets as randomness
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from pydantic import ValidationError

from lockgate.control.audit.services import record
from lockgate.control.notify.errors import NotifyError, UnknownError
from lockgate.control.notify.event import TOPICS
from lockgate.control.notify.kinds import pagerduty, webhook
from lockgate.control.notify.kinds.outgoing import Secrets
from lockgate.control.notify.models import Channel, Delivery, Message
from lockgate.control.notify.outbound import RefusedError, check_url
from lockgate.control.secret import cipher

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.fernet import Fernet

    from lockgate.control.accounts.models import User
    from lockgate.control.audit.services import Actor

MOST_OF_A_PERSON: Final = 5
MOST_OF_ALL: Final = 50
OVERLAP: Final = timedelta(hours=24)
"""How long what is signed with a new secret is signed with the one before as well."""


@transaction.atomic
def make(
    by: Actor,
    owner: User | None,
    *,
    kind: str,
    name: str,
    topics: Iterable[str],
    url: str = "",
    routing_key: str = "",
) -> tuple[Channel, str]:
    """Make a channel, of a person or, without an owner, of the installation.

    Gives the secret that signs a webhook's deliveries, too, which is shown now and never again.

    Raises:
        NotifyError: Something of it makes no sense.
    """
    if kind not in Channel.Kind.values:
        message = f"there is no kind of channel `{kind}`; there are {', '.join(Channel.Kind.values)}"
        raise NotifyError(message)
    wanted = _topics(topics)
    if not name.strip():
        message = "a channel needs a name, such as on-call"
        raise NotifyError(message)
    most = MOST_OF_A_PERSON if owner else MOST_OF_ALL
    if Channel.objects.filter(owner=owner).count() >= most:
        message = f"there are {most} channels already; remove one first"
        raise NotifyError(message)
    secret = routing_key.strip()
    if kind == Channel.Kind.PAGERDUTY:
        url = url or pagerduty.URL
        if len(secret) != 32 or not secret.isalnum():
            message = "PagerDuty needs the integration's routing key: 32 letters and digits"
            raise NotifyError(message)
    elif secret:
        message = "only PagerDuty has a routing key"
        raise NotifyError(message)
    if kind == Channel.Kind.WEBHOOK:
        secret = webhook.new_secret()
    try:
        check_url(url, settings.LOCKGATE_WEBHOOK_PRIVATE)
    except RefusedError as error:
        raise NotifyError(str(error)) from None
    channel = Channel.objects.create(
        owner=owner,
        name=name.strip()[:80],
        kind=kind,
        topics=wanted,
        url=shown(url),
        sealed=_seal(Secrets(url=url, secret=secret)),
    )
    record(by, "channel.made", _about(channel), after=_state(channel))
    return channel, secret if kind == Channel.Kind.WEBHOOK else ""


@transaction.atomic
def choose_topics(by: Actor, channel: Channel, topics: Iterable[str]) -> None:
    """Have a channel take other topics.

    Raises:
        NotifyError: One is unknown, or there is none.
    """
    before = _state(channel)
    channel.topics = _topics(topics)
    channel.save(update_fields=["topics"])
    record(by, "channel.changed", _about(channel), before=before, after=_state(channel))


@transaction.atomic
def enable(by: Actor, channel: Channel) -> None:
    """Have a channel that was given up take deliveries again."""
    Channel.objects.filter(pk=channel.pk).update(disabled_at=None, disabled_why="", failing_since=None)
    record(by, "channel.enabled", _about(channel), before=f"disabled: {channel.disabled_why}")


@transaction.atomic
def rotate(by: Actor, channel: Channel) -> str:
    """Draw a webhook another secret; the one before signs as well for a day.

    Raises:
        NotifyError: It is no webhook.
    """
    if channel.kind != Channel.Kind.WEBHOOK:
        message = "only a webhook has a secret that signs"
        raise NotifyError(message)
    before = unseal(channel)
    new = webhook.new_secret()
    until = (timezone.now() + OVERLAP).timestamp()
    channel.sealed = _seal(Secrets(url=before.url, secret=new, previous=before.secret, previous_until=until))
    channel.save(update_fields=["sealed"])
    record(by, "channel.rotated", _about(channel))
    return new


@transaction.atomic
def remove(by: Actor, channel: Channel) -> None:
    """Remove a channel, with its deliveries."""
    record(by, "channel.removed", _about(channel), before=_state(channel))
    channel.delete()


@transaction.atomic
def try_out(by: Actor, channel: Channel) -> Delivery:
    """Send a channel a message that says that it works; it is on its way with the worker's next round."""
    message = Message.objects.create(
        kind="channel.tested",
        topic="channel",
        title="Lockgate reaches this channel",
        text=f"{by.who} asked for this test.",
        link=reverse("notification_preferences" if channel.owner else "channels"),
        key=f"test {randomness.token_hex(8)}",
        severity="info",
    )
    record(by, "channel.tested", _about(channel))
    return Delivery.objects.create(message=message, channel=channel)


def of(owner: User | None, pk: int) -> Channel:
    """A channel of a person, or of the installation.

    Raises:
        UnknownError: There is none.
    """
    channel = Channel.objects.filter(owner=owner, pk=pk).first()
    if channel is None:
        message = "there is no such channel"
        raise UnknownError(message)
    return channel


def unseal(channel: Channel) -> Secrets:
    """The address of a channel and its secrets.

    Raises:
        NotifyError: They were encrypted with another secret of the installation.
    """
    try:
        return Secrets.model_validate_json(_cipher().decrypt(channel.sealed.encode()))
    except (InvalidToken, ValidationError):
        message = "what is kept of this channel cannot be read any more; remove it and make it again"
        raise NotifyError(message) from None


def shown(url: str) -> str:
    """What of an address may be seen: paths and queries are where services keep their secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/…"[:500]


def _topics(topics: Iterable[str]) -> list[str]:
    known = [topic.name for topic in TOPICS]
    wanted = sorted(set(topics))
    # Empty is never "all".
    if not wanted:
        message = f"a channel without topics takes nothing; there are {', '.join(known)}"
        raise NotifyError(message)
    if unknown := [one for one in wanted if one not in known]:
        message = f"there is no topic `{unknown[0]}`; there are {', '.join(known)}"
        raise NotifyError(message)
    return wanted


def _seal(secrets: Secrets) -> str:
    return _cipher().encrypt(secrets.model_dump_json().encode()).decode()


def _cipher() -> Fernet:
    return cipher(settings.SECRET_KEY, "channels")


def _about(channel: Channel) -> str:
    return f"channel {channel} of {channel.owner or 'the installation'}"


def _state(channel: Channel) -> str:
    return f"{channel.kind} at {channel.url}, topics {' '.join(channel.topics)}"
