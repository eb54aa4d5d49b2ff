"""Delivering what waits: one bounded round at a time, by whichever process has the time."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from lockgate.control.notify import channels, mail
from lockgate.control.notify.errors import NotifyError
from lockgate.control.notify.event import Event, Holders
from lockgate.control.notify.kinds.outgoing import Told, Verdict
from lockgate.control.notify.kinds.registry import SPEECHES
from lockgate.control.notify.models import Channel, Delivery, Message
from lockgate.control.notify.outbound import OutboundError, RefusedError, post
from lockgate.control.notify.services import send
from lockgate.control.notify.where import base

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.control.accounts.models import User
    from lockgate.control.notify.outbound import Answer

log = logging.getLogger(__name__)

MOST: Final = 200
"""Deliveries of one round."""
ROUND_SECONDS: Final = 30.0
"""After which a round begins nothing more."""
LEASE: Final = timedelta(minutes=2)
"""How long others leave alone what is being tried; a process that dies meanwhile has it tried again."""
DELAYS: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""Between attempts: three days altogether, as Standard Webhooks advises."""
LONGEST_REST: Final = timedelta(minutes=5)
GIVE_UP_AFTER: Final = timedelta(days=5)
"""A channel that took nothing for so long is disabled."""
KEEP: Final = timedelta(days=30)
_MOST_OF_A_MAIL: Final = 20


@dataclass(frozen=True)
class Result:
    """What an attempt came to."""

    verdict: Verdict
    words: str
    after: timedelta | None = None
    """How long the other side wants us to wait."""


def deliver() -> None:
    """Make one round over what is due."""
    began = time.monotonic()
    for batch in _batches():
        if time.monotonic() - began > ROUND_SECONDS:
            break
        claimed = _claim(batch)
        if not claimed:
            continue
        first = claimed[0]
        result = _to_channel(first.channel, claimed) if first.channel else _to_person(first.user, claimed)
        _note(claimed, result)


def forget() -> None:
    """Remove messages that are a month old, with their notifications and deliveries."""
    old = Message.objects.filter(at__lt=timezone.now() - KEEP).values_list("pk", flat=True)[:1_000]
    Message.objects.filter(pk__in=list(old)).delete()


def _batches() -> Iterator[list[Delivery]]:
    """What is due, by where it goes; the oldest first."""
    now = timezone.now()
    due = (
        Delivery.objects.filter(state=Delivery.State.WAITING, next_at__lte=now)
        .exclude(channel__rests_until__gt=now)
        .exclude(channel__disabled_at__isnull=False)
        .select_related("message", "channel", "user")
        .order_by("pk")[:MOST]
    )
    by_place: dict[tuple[int | None, int | None], list[Delivery]] = {}
    for delivery in due:
        by_place.setdefault((delivery.channel_id, delivery.user_id), []).append(delivery)
    for waiting in by_place.values():
        channel = waiting[0].channel
        size = SPEECHES[channel.kind].most if channel else _MOST_OF_A_MAIL
        for start in range(0, len(waiting), size):
            # A channel that failed a moment ago rests.
            if channel and channel.rests_until and channel.rests_until > timezone.now():
                break
            yield waiting[start : start + size]


def _claim(batch: list[Delivery]) -> list[Delivery]:
    """Those of a batch that nobody else tries: whoever moves the time on first has it."""
    until = timezone.now() + LEASE
    return [
        one
        for one in batch
        if Delivery.objects.filter(pk=one.pk, state=Delivery.State.WAITING, next_at=one.next_at).update(
            next_at=until, attempts=one.attempts + 1
        )
    ]


def _to_channel(channel: Channel, claimed: list[Delivery]) -> Result:
    speech = SPEECHES[channel.kind]
    told = Told(
        messages=[one.message for one in claimed],
        base=base(),
        now=timezone.now(),
        ids=[one.public_id for one in claimed],
    )
    try:
        secrets = channels.unseal(channel)
        said = speech.compose(secrets, told)
        answer = post(
            secrets.url, body=said.body, headers=said.headers, allowed=settings.LOCKGATE_WEBHOOK_PRIVATE
        )
    except (RefusedError, NotifyError) as error:
        return Result(Verdict.NEVER, str(error))
    except OutboundError as error:
        return Result(Verdict.AGAIN, str(error))
    # What else an answer says is not kept: a channel must not be a way to read what is inside.
    return Result(speech.judge(answer), f"answered {answer.status}", _asked_to_wait(answer))


def _to_person(user: User | None, claimed: list[Delivery]) -> Result:
    if user is None or not user.is_active or not mail.is_on():
        return Result(Verdict.NEVER, "nobody reads mail there")
    messages = [one.message for one in claimed]
    subject = messages[0].title if len(messages) == 1 else f"{len(messages)} notifications from Lockgate"
    try:
        mail.send(user.email, subject, _letter(messages))
    except mail.MailError as error:
        return Result(Verdict.NEVER if error.is_final else Verdict.AGAIN, str(error))
    return Result(Verdict.DELIVERED, "taken by the mail server")


def _letter(messages: list[Message]) -> str:
    parts = []
    for message in messages:
        often = f" ({message.times} times)" if message.times > 1 else ""
        parts.append(f"{message.title}{often}\n\n{message.text}\n\n{base()}{message.link}\n")
    foot = f"Choose what you are told of by e-mail: {base()}{reverse('notification_preferences')}\n"
    return "\n----\n\n".join(parts) + f"\n-- \n{foot}"


@transaction.atomic
def _note(claimed: list[Delivery], result: Result) -> None:
    now = timezone.now()
    words = result.words[:300]
    for one in claimed:
        attempts = one.attempts + 1
        row = Delivery.objects.filter(pk=one.pk)
        if result.verdict is Verdict.DELIVERED:
            row.update(state=Delivery.State.DELIVERED, result=words, ended_at=now)
        elif result.verdict is Verdict.AGAIN and attempts <= len(DELAYS):
            row.update(next_at=now + _delay(attempts, result.after), result=words)
        else:
            row.update(state=Delivery.State.FAILED, result=words, ended_at=now)
    if channel := claimed[0].channel:
        _judge_channel(channel, claimed[0].attempts + 1, result)


def _judge_channel(channel: Channel, attempts: int, result: Result) -> None:
    now = timezone.now()
    if result.verdict is Verdict.DELIVERED:
        if channel.failing_since or channel.rests_until:
            channel.failing_since = channel.rests_until = None
            channel.save(update_fields=["failing_since", "rests_until"])
        return
    channel.failing_since = channel.failing_since or now
    channel.rests_until = now + min(_delay(min(attempts, len(DELAYS)), result.after), LONGEST_REST)
    channel.save(update_fields=["failing_since", "rests_until"])
    if result.verdict is Verdict.GONE:
        _disable(channel, f"it {result.words}: it is no more")
    elif now - channel.failing_since > GIVE_UP_AFTER:
        _disable(channel, f"it took nothing for {GIVE_UP_AFTER.days} days; the last attempt: {result.words}")


def _disable(channel: Channel, why: str) -> None:
    channel.disabled_at, channel.disabled_why = timezone.now(), why[:300]
    channel.save(update_fields=["disabled_at", "disabled_why"])
    channel.deliveries.filter(state=Delivery.State.WAITING).update(
        state=Delivery.State.FAILED, result="the channel is disabled", ended_at=timezone.now()
    )
    log.warning("channel %s is disabled: %s", channel, why)
    send(
        Event(
            kind="channel.disabled",
            title=f"{channel} gets no deliveries any more",
            text=f"{why[0].upper()}{why[1:]}. Mend it where it is, then enable it again.",
            link=reverse("notification_preferences" if channel.owner else "channels"),
            to=[channel.owner or Holders("channels:write")],
            severity="warning",
        )
    )


def _delay(attempts: int, asked: timedelta | None) -> timedelta:
    """Longer each time, and not the same for everybody who failed at once."""
    own = DELAYS[attempts - 1] * random.uniform(0.8, 1.2)  # noqa: S311 - nobody gains by guessing it
    return max(own, min(asked, DELAYS[-1])) if asked else own


def _asked_to_wait(answer: Answer) -> timedelta | None:
    """`Retry-After` in either form (RFC 9110, section 10.2.3)."""
    said = answer.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdecimal() and len(said) < 9:
        return timedelta(seconds=int(said))
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return None
    left = at - timezone.now() if at.tzinfo else None
    return left if left and left > timedelta(0) else None
