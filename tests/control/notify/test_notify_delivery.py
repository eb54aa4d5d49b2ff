"""Deliveries to receivers that are real servers on this machine: signed, batched, tried again, given up."""

from __future__ import annotations

import ipaddress
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.controller import Controller
from django.utils import timezone
from load import free_port
from lockgate.control.notify import channels, delivery, services
from lockgate.control.notify.event import TOPICS, Event, Holders
from lockgate.control.notify.models import Channel, Delivery, Message, Notification
from lockgate.control.secret import cipher
from services import Service, answer
from standardwebhooks import Webhook, WebhookVerificationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from control.people import NewUser
    from lockgate.control.accounts.models import User
    from lockgate.control.audit.services import Actor
    from pytest_django.fixtures import Settings

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
ALL = [topic.name for topic in TOPICS]
ROUTING_KEY = "R0123456789abcdef0123456789abcde"


@pytest.fixture(autouse=True)
def _allowed(settings: Settings) -> None:
    settings.LOCKGATE_WEBHOOK_PRIVATE = LOOPBACK


@contextmanager
def receiving(status: str = "200 OK", **headers: str) -> Iterator[Service]:
    with Service(lambda _: answer("ok", status, **headers)) as service:
        yield service


def make(by: Actor, url: str, kind: str = "webhook", **more: Any) -> tuple[Channel, str]:
    return channels.make(by, None, kind=kind, name="on-call", topics=ALL, url=url, **more)


def tell(number: int = 1, **more: Any) -> None:
    to = more.pop("to", [Holders("audit:read")])
    for one in range(number):
        services.send(
            Event(
                kind=more.pop("kind", "alert.opened"),
                title=f"Malicious <payload> {one}",
                text="3 calls of shop & co",
                link="/alerts/7/",
                to=to,
                **more,
            )
        )


def later() -> None:
    """Let whatever waits be due, and every channel awake."""
    Delivery.objects.update(next_at=timezone.now())
    Channel.objects.update(rests_until=None)


def body(service: Service, number: int = -1) -> Any:
    return json.loads(service.requests[number].body)


def fields(service: Service) -> dict[str, str]:
    return {name.lower(): value for name, value in service.requests[-1].headers}


def test_a_webhook_verifies_with_the_library_of_the_standard(by: Actor) -> None:
    with receiving() as service:
        _, secret = make(by, f"{service.url}/hook?token=1")
        tell(key="alert 7", data={"source": "192.0.2.7"}, severity="critical")
        delivery.deliver()
    assert service.requests[0].line.startswith("POST /hook?token=1 ")
    said: Any = Webhook(secret).verify(service.requests[0].body, fields(service))
    assert (said["type"], said["data"]["severity"]) == ("alert.opened", "critical")
    assert said["data"]["details"] == {"source": "192.0.2.7"}
    assert said["data"]["link"] == "http://127.0.0.1:9900/alerts/7/"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(service.requests[0].body + b" ", fields(service))
    assert Delivery.objects.get().state == "delivered"


def test_a_rotated_secret_and_the_one_before_both_verify_for_a_day(by: Actor) -> None:
    with receiving() as service:
        channel, before = make(by, service.url)
        after = channels.rotate(by, channel)
        tell()
        delivery.deliver()
        for secret in (before, after):
            Webhook(secret).verify(service.requests[0].body, fields(service))
        kept = channels.unseal(Channel.objects.get())
        channel.sealed = (
            cipher(_secret(), "channels").encrypt(
                kept.model_copy(update={"previous_until": 1.0}).model_dump_json().encode()
            )
        ).decode()
        channel.save()
        tell()
        delivery.deliver()
    Webhook(after).verify(service.requests[1].body, fields(service))
    with pytest.raises(WebhookVerificationError):
        Webhook(before).verify(service.requests[1].body, fields(service))


def _secret() -> str:
    from django.conf import settings  # noqa: PLC0415

    return str(settings.SECRET_KEY)


def test_an_attempt_is_repeated_with_its_id_and_later_each_time(by: Actor) -> None:
    with receiving("500 Oops") as service:
        channel, _ = make(by, service.url)
        tell()
        waits = []
        for _ in range(3):
            now = timezone.now()
            delivery.deliver()
            waits.append((Delivery.objects.get().next_at - now).total_seconds())
            delivery.deliver()
            later()
    assert waits == sorted(waits)
    assert 3 <= waits[0] <= 8
    assert 230 <= waits[2] <= 370
    ids = {value for request in service.requests for value in request.all("webhook-id")}
    assert (len(ids), len(service.requests)) == (1, 3)
    channel.refresh_from_db()
    assert channel.failing_since is not None
    assert Delivery.objects.get().result == "answered 500"


def test_what_the_other_side_wants_us_to_wait_is_waited(by: Actor) -> None:
    with receiving("429 Too Many", retry_after="3600") as service:
        make(by, service.url)
        tell()
        delivery.deliver()
    wait = Delivery.objects.get().next_at - timezone.now()
    assert timedelta(minutes=59) < wait < timedelta(minutes=61)


def test_the_last_attempt_ends_it(by: Actor) -> None:
    with receiving("503 Down") as service:
        make(by, service.url)
        tell()
        for _ in range(len(delivery.DELAYS) + 3):
            later()
            delivery.deliver()
    assert len(service.requests) == len(delivery.DELAYS) + 1
    assert Delivery.objects.get().state == "failed"


def test_410_disables_a_channel_and_its_owner_is_told(by: Actor, admin: User) -> None:
    with receiving("410 Gone") as service:
        mine, _ = channels.make(by, admin, kind="webhook", name="mine", topics=["alert"], url=service.url)
        tell(2, to=[admin])
        delivery.deliver()
        later()
        tell(to=[admin])
        delivery.deliver()
    assert len(service.requests) == 1
    mine.refresh_from_db()
    assert mine.disabled_why == "it answered 410: it is no more"
    assert Notification.objects.filter(user=admin, message__kind="channel.disabled").count() == 1
    assert not Delivery.objects.filter(state="waiting").exists()
    channels.enable(by, mine)
    mine.refresh_from_db()
    assert (mine.disabled_at, mine.failing_since) == (None, None)


def test_a_channel_that_takes_nothing_for_days_is_disabled(by: Actor, admin: User) -> None:
    with receiving("500 Oops") as service:
        channel, _ = make(by, service.url)
        tell()
        delivery.deliver()
        Channel.objects.update(failing_since=timezone.now() - timedelta(days=5, minutes=1))
        later()
        delivery.deliver()
    channel.refresh_from_db()
    assert "it took nothing for 5 days" in channel.disabled_why
    assert Notification.objects.filter(user=admin, message__kind="channel.disabled").exists()


def test_a_channel_that_works_again_is_forgiven(by: Actor) -> None:
    replies = iter([answer("", "500 Oops"), answer()])
    with Service(lambda _: next(replies)) as service:
        channel, _ = make(by, service.url)
        tell()
        delivery.deliver()
        later()
        delivery.deliver()
    channel.refresh_from_db()
    assert (channel.failing_since, Delivery.objects.get().state) == (None, "delivered")


def test_a_channel_that_fails_rests_and_does_not_hold_others_up(by: Actor) -> None:
    with receiving("500 Oops") as bad, receiving() as good:
        make(by, bad.url)
        make(by, good.url)
        tell(3)
        delivery.deliver()
    assert (len(bad.requests), len(good.requests)) == (1, 3)


def test_of_two_processes_one_delivers(by: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as service:
        make(by, service.url)
        tell()
        seen_by_both = list(delivery._batches())  # noqa: SLF001 - what two processes read at once
        monkeypatch.setattr(delivery, "_batches", lambda: iter(seen_by_both))
        delivery.deliver()
        delivery.deliver()
    assert len(service.requests) == 1


def test_a_process_that_died_with_a_delivery_has_it_tried_again(by: Actor) -> None:
    with receiving() as service:
        make(by, service.url)
        tell()
        delivery._claim(next(delivery._batches()))  # noqa: SLF001 - and then it dies
        delivery.deliver()
        assert not service.requests
        Delivery.objects.update(next_at=timezone.now())
        delivery.deliver()
    assert Delivery.objects.get().attempts == 2


def test_slack_gets_one_message_for_many_and_nothing_that_it_reads(by: Actor) -> None:
    with receiving() as service:
        make(by, f"{service.url}/services/T0/B0/secret", kind="slack")
        tell(3)
        delivery.deliver()
        assert not service.requests
        later()
        delivery.deliver()
    assert len(service.requests) == 1
    assert body(service)["text"] == "Malicious &lt;payload&gt; 0, and 2 more"
    texts = [block["text"]["text"] for block in body(service)["blocks"]]
    assert len(texts) == 3
    assert "<http://127.0.0.1:9900/alerts/7/|Malicious &lt;payload&gt; 0>" in texts[0]
    assert "shop &amp; co" in texts[0]


@pytest.mark.parametrize(("status", "disabled"), [("404 no_service", True), ("400 invalid_blocks", False)])
def test_slack_says_what_is_no_more_and_what_it_never_takes(
    by: Actor, status: str, *, disabled: bool
) -> None:
    with receiving(status) as service:
        channel, _ = make(by, service.url, kind="slack")
        tell()
        later()
        delivery.deliver()
    channel.refresh_from_db()
    assert (channel.disabled_at is not None) is disabled
    assert Delivery.objects.get().state == "failed"


def test_pagerduty_opens_and_closes_one_incident(by: Actor) -> None:
    with receiving("202 Accepted") as service:
        make(by, f"{service.url}/v2/enqueue", kind="pagerduty", routing_key=ROUTING_KEY)
        tell(key="7", severity="error")
        tell(key="7", resolves=True, kind="alert.resolved")
        delivery.deliver()
    opened, closed = body(service, 0), body(service, 1)
    assert (opened["event_action"], closed["event_action"]) == ("trigger", "resolve")
    assert opened["dedup_key"] == closed["dedup_key"]
    assert opened["routing_key"] == ROUTING_KEY
    assert opened["payload"]["severity"] == "error"
    assert {"summary", "source", "severity"} <= opened["payload"].keys()


def test_alertmanager_gets_a_group_of_its_version_4(by: Actor) -> None:
    with receiving() as service:
        make(by, service.url, kind="alertmanager")
        tell(key="7", severity="error")
        tell(key="8", resolves=True, kind="alert.resolved")
        later()
        delivery.deliver()
    said = body(service)
    assert (said["version"], said["status"], len(said["alerts"])) == ("4", "firing", 2)
    firing, resolved = said["alerts"]
    assert (firing["status"], resolved["status"]) == ("firing", "resolved")
    assert firing["endsAt"] == "0001-01-01T00:00:00Z"
    assert firing["fingerprint"] != resolved["fingerprint"]
    assert said["commonLabels"]["alertname"] == "alert"
    assert "key" not in said["commonLabels"]


def test_what_ends_an_alert_has_the_fingerprint_of_what_began_it(by: Actor) -> None:
    with receiving() as service:
        make(by, service.url, kind="alertmanager")
        tell(key="7")
        tell(key="7", resolves=True, kind="alert.resolved")
        later()
        delivery.deliver()
    began, ended = body(service)["alerts"]
    assert began["fingerprint"] == ended["fingerprint"]


@dataclass
class Mailbox:
    """A mail server that keeps what it gets, or refuses a recipient."""

    refuses: str = ""
    mails: list[Any] = field(default_factory=list)

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _: Any) -> str:  # noqa: N802
        if self.refuses:
            return self.refuses
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@contextmanager
def mailing(settings: Settings, refuses: str = "") -> Iterator[Mailbox]:
    mailbox = Mailbox(refuses)
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = controller.hostname, controller.port
    settings.DEFAULT_FROM_EMAIL = "lockgate@example.com"
    settings.LOCKGATE_MAIL = object()
    try:
        yield mailbox
    finally:
        controller.stop()


def test_a_person_gets_one_mail_for_many_messages(admin: User, settings: Settings) -> None:
    with mailing(settings) as mailbox:
        tell(3, to=[admin])
        later()
        delivery.deliver()
    (mail,) = mailbox.mails
    assert (mail["To"], mail["Subject"]) == (admin.email, "3 notifications from Lockgate")
    assert mail["Auto-Submitted"] == "auto-generated"
    text = mail.get_content()
    assert text.count("http://127.0.0.1:9900/alerts/7/") == 3
    assert "/notifications/preferences/" in text


def test_a_title_with_line_ends_adds_no_field_to_a_mail(admin: User, settings: Settings) -> None:
    with mailing(settings) as mailbox:
        services.send(Event(kind="alert.x", title="a\r\nBcc: eve@example.com", text="", link="/", to=[admin]))
        later()
        delivery.deliver()
    assert (mailbox.mails[0]["Subject"], mailbox.mails[0]["Bcc"]) == ("a Bcc: eve@example.com", None)


def test_an_address_that_the_mail_server_refuses_is_not_tried_again(admin: User, settings: Settings) -> None:
    with mailing(settings, "550 no such user"):
        tell(to=[admin])
        later()
        delivery.deliver()
    assert Delivery.objects.get().state == "failed"
    assert "refuses this address (550)" in Delivery.objects.get().result


def test_a_mail_server_that_is_away_is_tried_again(admin: User, settings: Settings) -> None:
    with mailing(settings):
        pass
    tell(to=[admin])
    later()
    delivery.deliver()
    assert Delivery.objects.get().state == "waiting"
    assert "the mail server cannot be used" in Delivery.objects.get().result


def test_who_was_deactivated_gets_no_mail(new_user: NewUser, settings: Settings) -> None:
    bob = new_user("auditor", "bob@example.com")
    with mailing(settings) as mailbox:
        tell(to=[bob])
        bob.is_active = False
        bob.save()
        later()
        delivery.deliver()
    assert mailbox.mails == []


def test_the_secrets_of_a_channel_are_encrypted_and_its_path_is_not_shown(by: Actor) -> None:
    channel, secret = make(by, "https://hooks.example.com/services/T0/planted")
    row = str(Channel.objects.filter(pk=channel.pk).values().get())
    assert "planted" not in row
    assert secret not in row
    assert channel.url == "https://hooks.example.com/…"


def test_old_messages_are_forgotten(admin: User) -> None:
    tell(2, to=[admin])
    Message.objects.filter(pk=Message.objects.order_by("pk")[0].pk).update(
        at=timezone.now() - timedelta(days=31)
    )
    delivery.forget()
    assert (Message.objects.count(), Notification.objects.count()) == (1, 1)
