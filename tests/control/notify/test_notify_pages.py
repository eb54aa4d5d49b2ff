"""Pages and API of notifications, preferences and channels."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from control.notify.test_notify_delivery import ALL, later, make, receiving, tell
from django.test import Client
from lockgate.control.audit.models import Entry
from lockgate.control.notify import channels, delivery, services
from lockgate.control.notify.errors import NotifyError
from lockgate.control.notify.models import Channel, Delivery, Notification, Preference
from standardwebhooks import Webhook

if TYPE_CHECKING:
    from control.people import NewToken, NewUser, SignIn
    from lockgate.control.accounts.models import User
    from lockgate.control.audit.services import Actor
    from pytest_django.fixtures import Settings

OWN = "/portal/notifications/"
PREFERENCES = f"{OWN}preferences/"


@pytest.fixture(autouse=True)
def _allowed(settings: Settings) -> None:
    settings.LOCKGATE_WEBHOOK_PRIVATE = (ipaddress.ip_network("127.0.0.0/8"),)


def page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return str(answer.content.decode())


def test_what_one_was_told_is_shown_and_counted_until_it_is_read(
    admin: User, new_user: NewUser, sign_in: SignIn
) -> None:
    tell(2, to=[admin])
    client = sign_in(admin)
    text = page(client, OWN)
    assert text.count("Malicious &lt;payload&gt;") == 4
    assert '2 unread<span class="hidden"> notifications</span>' in page(client, "/")
    first = Notification.objects.order_by("pk")[0]
    assert client.get(f"{OWN}{first.pk}/").headers["Location"] == "/alerts/7/"
    assert services.unread(admin) == 1
    client.post(OWN)
    assert services.unread(admin) == 0
    assert "unread" not in page(client, "/")
    assert ">Notifications</a>" in page(client, "/")
    other = sign_in(new_user("auditor", "bob@example.com"))
    assert "Nothing yet" in page(other, OWN)
    assert other.get(f"{OWN}{first.pk}/").headers["Location"] == OWN


@pytest.mark.parametrize("link", ["//evil.example/", "https://evil.example/", "/\\evil.example", "evil"])
def test_a_notification_leads_to_no_other_site(admin: User, sign_in: SignIn, link: str) -> None:
    tell(to=[admin])
    Notification.objects.get().message.__class__.objects.update(link=link)
    client = sign_in(admin)
    assert client.get(f"{OWN}{Notification.objects.get().pk}/").headers["Location"] == OWN


def test_a_person_chooses_what_to_be_told_of(admin: User, sign_in: SignIn) -> None:
    client = sign_in(admin)
    assert "This installation sends no e-mail yet" in page(client, PREFERENCES)
    client.post(PREFERENCES, {"preferences": "1", "alert-mail": "on", "key-portal": "on"})
    kept = {one.topic: (one.portal, one.mail) for one in Preference.objects.filter(user=admin)}
    assert (kept["alert"], kept["key"], kept["feedback"]) == ((False, True), (True, False), (False, False))
    assert len(kept) == len(ALL)
    assert re.search(r'name="alert-mail"[^>]* checked', page(client, PREFERENCES))


def test_a_person_has_webhooks_of_their_own_alone(new_user: NewUser, sign_in: SignIn) -> None:
    ann, bob = new_user("developer", "ann@example.com"), new_user("developer", "bob@example.com")
    client = sign_in(ann)
    with receiving() as service:
        form = {"webhook": "1", "name": "mine", "url": service.url + "/hook", "topics": ["key"]}
        answer = client.post(PREFERENCES, form)
        secret = re.findall(r"whsec_[\w+/=]+", answer.content.decode())[0]
        mine = Channel.objects.get()
        path = f"{OWN}webhooks/{mine.pk}/"
        client.post(path, {"test": "1"})
        delivery.deliver()
        Webhook(secret).verify(
            service.requests[0].body, {name.lower(): text for name, text in service.requests[0].headers}
        )
        assert "answered 200" in page(client, path)
        client.post(path, {"topics-of": "1", "topics": ["alert", "key"]})
        assert secret not in client.post(path, {"rotate": "1"}).content.decode()
    assert Channel.objects.get().topics == ["alert", "key"]
    other = sign_in(bob)
    assert other.get(path).status_code == 302
    other.post(f"{path}remove/")
    assert Channel.objects.filter(pk=mine.pk).exists()
    client.post(f"{path}remove/")
    assert not Channel.objects.exists()
    acts = Entry.objects.filter(action__startswith="channel.").order_by("seq")
    assert [(one.action, one.who) for one in acts] == [
        ("channel.made", ann.email),
        ("channel.tested", ann.email),
        ("channel.changed", ann.email),
        ("channel.rotated", ann.email),
        ("channel.removed", ann.email),
    ]


def test_those_who_run_the_gateway_have_channels_that_developers_do_not_see(
    admin: User, new_user: NewUser, sign_in: SignIn
) -> None:
    client = sign_in(admin)
    with receiving("202 Accepted") as service:
        form = {"kind": "pagerduty", "name": "on-call", "url": service.url, "topics": ["alert"]}
        assert "32 letters and digits" in client.post("/channels/", form).content.decode()
        client.post("/channels/", form | {"routing_key": "a" * 32})
        path = f"/channels/{Channel.objects.get().pk}/"
        client.post(path, {"test": "1"})
        later()
        delivery.deliver()
    assert "answered 202" in page(client, path)
    assert "on-call" in page(client, "/channels/")
    developer = sign_in(new_user("developer", "dev@example.com"))
    assert developer.get("/channels/").status_code == 403
    auditor = sign_in(new_user("auditor", "aud@example.com"))
    assert "Send a test" not in page(auditor, path)
    assert auditor.post(path, {"test": "1"}).status_code == 403
    assert auditor.post(f"{path}remove/").status_code == 403


def test_a_channel_that_was_disabled_says_why_and_is_enabled_again(
    by: Actor, admin: User, sign_in: SignIn
) -> None:
    client = sign_in(admin)
    with receiving("410 Gone") as service:
        channel, _ = make(by, service.url)
        tell()
        delivery.deliver()
    path = f"/channels/{channel.pk}/"
    assert "it answered 410: it is no more" in page(client, path)
    client.post(path, {"enable": "1"})
    assert "Nothing is delivered" not in page(client, path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "pigeon"}, "there is no kind of channel `pigeon`; there are webhook, slack"),
        ({"name": " "}, "a channel needs a name"),
        ({"topics": []}, "a channel without topics takes nothing; there are alert"),
        ({"topics": ["moon"]}, "there is no topic `moon`; there are alert"),
        ({"url": "https://10.0.0.1/"}, "is not of the world outside; LOCKGATE_WEBHOOK_PRIVATE"),
        ({"url": ""}, "write a URL such as"),
        ({"routing_key": "a" * 32}, "only PagerDuty has a routing key"),
        ({"kind": "pagerduty", "routing_key": "short"}, "needs the integration's routing key"),
    ],
)
def test_a_channel_that_makes_no_sense_is_refused(by: Actor, given: dict[str, Any], message: str) -> None:
    asked = {"kind": "webhook", "name": "x", "topics": ["alert"], "url": "https://example.com/"} | given
    with pytest.raises(NotifyError, match=message):
        channels.make(by, None, **asked)
    assert not Entry.objects.exists()


def test_a_person_has_a_bounded_number_of_webhooks(by: Actor, admin: User) -> None:
    for number in range(channels.MOST_OF_A_PERSON):
        channels.make(by, admin, kind="webhook", name=str(number), topics=ALL, url="https://example.com/")
    with pytest.raises(NotifyError, match="there are 5 channels already"):
        channels.make(by, admin, kind="webhook", name="x", topics=ALL, url="https://example.com/")


def api(method: str, path: str, token: str, body: Any = None) -> Any:
    data = "" if body is None else json.dumps(body)
    return Client().generic(
        method, f"/api/v1{path}", data, "application/json", headers={"Authorization": f"Bearer {token}"}
    )


def test_the_api_does_what_the_pages_do(new_token: NewToken) -> None:
    token = new_token("channels:read", "channels:write")
    with receiving() as service:
        asked = {"kind": "webhook", "name": "siem", "topics": ["alert"], "url": service.url}
        made = api("POST", "/channels", token, asked)
        assert made.status_code == 201
        channel = made.json()["channel"]
        assert made.json()["secret"].startswith("whsec_")
        path = f"/channels/{channel['id']}"
        assert api("POST", f"{path}/test", token).status_code == 202
        delivery.deliver()
    (sent,) = api("GET", f"{path}/deliveries", token).json()["deliveries"]
    assert (sent["kind"], sent["state"]) == ("channel.tested", "delivered")
    assert api("PATCH", path, token, {"topics": ["key"]}).json()["topics"] == ["key"]
    assert api("PATCH", path, token, {"topics": []}).status_code == 422
    assert api("POST", f"{path}/secret", token).json()["secret"] != made.json()["secret"]
    assert [one["name"] for one in api("GET", "/channels", token).json()] == ["siem"]
    assert api("DELETE", path, token).status_code == 204
    assert api("GET", f"{path}/deliveries", token).status_code == 404
    assert not Delivery.objects.exists()
