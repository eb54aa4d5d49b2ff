"""Trying calls: what reaches the gateway, what comes back, and what cannot be reached at all."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from control.portal.shop import KEY
from django.core.cache import cache
from django.test import Client
from lockgate.control.audit.models import Entry
from lockgate.control.portal import trying
from lockgate.control.portal.served import read_catalogue
from lockgate.control.portal.trying import TryError, Wanted
from lockgate.control.portal.words import Credential
from lockgate.running import Running
from services import Service

if TYPE_CHECKING:
    from pathlib import Path

    from control.people import NewUser, SignIn
    from lockgate import Gateway
    from lockgate.control.portal.catalogue import Version

TRY = "/portal/apis/orders/versions/v2/operations/getOrder/try/"
BY_KEY = Credential("api_key", "header", "X-Api-Key")


@pytest.fixture
def developer(new_user: NewUser, sign_in: SignIn) -> Client:
    return sign_in(new_user("developer", "dev@example.com"))


def orders() -> Version:
    api = read_catalogue().api("orders")
    assert api is not None
    found = api.version("v2")
    assert found is not None
    return found


def wanted(path: str = "/orders/1", **other: Any) -> Wanted:
    call: dict[str, Any] = {"method": "GET", "query": (), "headers": (), "body": "", "media_type": ""}
    return Wanted(path=path, **{**call, **other})


def shown(client: Client, fields: dict[str, str], path: str = TRY) -> str:
    answer = client.post(path, fields)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.usefixtures("gateway")
def test_a_call_is_made_with_the_callers_key_and_its_answer_shown(developer: Client) -> None:
    page = shown(developer, {"key": KEY, "p-path-id": "1"})
    assert "200 OK" in page
    assert "&lt;b&gt;Ada&lt;/b&gt;" in page
    assert "ratelimit" in page.lower()
    # What leads on from here leads to a page that can be opened.
    assert f'name="page" value="{TRY.removesuffix("try/")}"' in page


@pytest.mark.usefixtures("gateway")
def test_the_key_is_in_no_page_and_no_table(developer: Client) -> None:
    page = shown(developer, {"key": KEY, "p-path-id": "1"})
    assert KEY not in page
    assert not [entry for entry in Entry.objects.all() if KEY in str(vars(entry))]


@pytest.mark.usefixtures("gateway")
def test_a_refusal_is_shown_with_its_remedy_and_its_lesson(developer: Client) -> None:
    page = shown(developer, {"key": "", "p-path-id": "1"})
    assert "401" in page
    assert "What a 401 about a key means" in page


@pytest.mark.usefixtures("gateway")
def test_only_who_is_signed_in_and_on_our_page_tries_anything(developer: Client) -> None:
    assert Client().post(TRY, {"key": KEY}).status_code == 302
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = developer.cookies
    assert strict.post(TRY, {"key": KEY, "p-path-id": "1"}).status_code == 403
    assert developer.get(TRY).status_code == 405


@pytest.mark.usefixtures("gateway")
@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/../../plain/x", "GET"),
        ("/orders/..", "GET"),
        ("/orders/%2e%2e", "GET"),
        ("/orders/1%2F..%2F2", "GET"),
        ("//192.0.2.1/", "GET"),
        ("@192.0.2.1/orders", "GET"),
        ("/orders/1 HTTP/1.1\r\nHost: evil", "GET"),
        ("/orders/1?x=1", "GET"),
        ("/orders/1#x", "GET"),
        ("/orders/a\\b", "GET"),
        ("/nope", "GET"),
        ("/orders/1", "TRACE"),
        ("/orders/1", "GET /x HTTP/1.1\r\n"),
    ],
)
def test_what_is_no_route_of_the_version_is_never_asked(path: str, method: str) -> None:
    with pytest.raises(TryError):
        trying.send(orders(), wanted(path, method=method), BY_KEY, KEY)


@pytest.mark.usefixtures("gateway")
@pytest.mark.parametrize(
    "header",
    [
        ("Host", "evil.example"),
        ("host", "evil.example"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("Forwarded", "for=192.0.2.1"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("Content-Length", "0"),
        ("X-A", "b\r\nHost: evil"),
        ("X\r\nA", "b"),
        ("", "x"),
    ],
)
def test_a_header_that_would_change_where_or_how_is_refused(header: tuple[str, str]) -> None:
    with pytest.raises(TryError):
        trying.send(orders(), wanted(headers=(header,)), BY_KEY, KEY)


@pytest.mark.usefixtures("gateway")
def test_a_key_that_would_add_a_header_is_refused() -> None:
    with pytest.raises(TryError, match="copy it again"):
        trying.send(orders(), wanted(), BY_KEY, "x\r\nHost: evil")


def test_only_the_gateways_own_listener_is_connected_to(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    connect = socket.create_connection

    def noted(address: Any, *more: Any, **other: Any) -> Any:
        asked.append(address)
        return connect(address, *more, **other)

    monkeypatch.setattr("http.client.socket.create_connection", noted)
    answer = trying.send(orders(), wanted("/orders/98"), BY_KEY, KEY)
    # A redirect is shown, and not followed.
    assert (answer.status, dict(answer.headers)["location"]) == (302, "http://192.0.2.1/")
    port = int(gateway.urls["public"].rpartition(":")[2])
    assert asked == [("127.0.0.1", port)]


@pytest.mark.usefixtures("gateway")
def test_a_long_answer_is_cut() -> None:
    answer = trying.send(orders(), wanted("/orders/99"), BY_KEY, KEY)
    assert (answer.status, answer.size, answer.is_cut) == (200, trying.MOST_ANSWER, True)


@pytest.mark.usefixtures("gateway")
def test_a_long_body_is_not_sent() -> None:
    with pytest.raises(TryError, match="256 KiB"):
        trying.send(orders(), wanted(method="POST", path="/orders", body="x" * 300_000), BY_KEY, KEY)


def test_a_gateway_that_is_silent_for_too_long_is_given_up(
    document: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying, "SECONDS", 0.2)
    with Service(lambda _: b"") as silent:
        Running(admin="127.0.0.1:1", listeners={"public": silent.url}, document=str(document), pid=1).write(
            state
        )
        with pytest.raises(TryError, match="took too long"):
            trying.send(orders(), wanted(), BY_KEY, KEY)


@pytest.mark.usefixtures("document")
def test_a_gateway_that_does_not_run_is_said(developer: Client) -> None:
    assert "the gateway did not answer" in shown(developer, {"key": KEY, "p-path-id": "1"})


@pytest.mark.usefixtures("gateway")
def test_the_form_is_no_way_to_guess_keys(developer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    monkeypatch.setattr(trying, "MOST_A_MINUTE", 0)
    assert "wait a moment" in shown(developer, {"key": KEY, "p-path-id": "1"})


@pytest.mark.usefixtures("gateway")
def test_what_is_required_is_asked_for(developer: Client) -> None:
    assert "`id` is required" in shown(developer, {"key": KEY, "p-path-id": ""})
    assert "may not hold slashes" in shown(developer, {"key": KEY, "p-path-id": "../../x"})
    path = "/portal/apis/orders/versions/v2/operations/createOrder/try/"
    assert "require.scope" in shown(developer, {"key": KEY, "body": "{}"}, path)
