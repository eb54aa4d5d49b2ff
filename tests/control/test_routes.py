"""What is served, in the console and in the admin API: APIs, effective policies of routes, services."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from control.portal import shop
from django.test import Client
from lockgate.control import node
from lockgate.control.portal import served as catalogue
from lockgate.control.routes import services
from lockgate.running import Running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from control.people import NewToken, SignIn
    from lockgate.control.accounts.models import User
    from pytest_django.fixtures import Settings

DELETE = "/apis/orders/v2/?route=GET,DELETE%20/sales/v2/orders/%7Bid%7D"
STATS: dict[str, Any] = {
    "upstreams": {
        "service": {
            "targets": [
                {"address": "10.0.0.1:80", "healthy": True, "requests_in_flight": 2},
                {"address": "10.0.0.2:80", "healthy": False, "requests_in_flight": 0},
            ],
            "circuit_open": True,
        }
    }
}


@pytest.fixture(autouse=True)
def _unknown() -> Iterator[None]:
    catalogue.forget()
    yield
    catalogue.forget()


@pytest.fixture
def document(tmp_path: Path, settings: Settings) -> Path:
    """The shop's document, as if a node served it."""
    state = tmp_path / "state"
    state.mkdir()
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"state": state})
    path = shop.write(tmp_path, "http://127.0.0.1:1")
    text = path.read_text().replace(
        "            kind: payload_guard\n            mode: shadow",
        "            kind: payload_guard\n            mode: shadow\n            percent: 25",
    )
    text = text.replace(
        "deny: [192.0.2.77] }]", "deny: [192.0.2.77] }, { id: spare, kind: size, mode: off, body: 1MiB }]"
    )
    text += "policies:\n  - { id: old, kind: ip_filter, mode: off, deny: [192.0.2.1] }\n"
    text += "  - { id: headers, kind: response_headers }\n"
    path.write_text(text)
    Running(admin="127.0.0.1:1", listeners={}, document=str(path), pid=1).write(state)
    return path


@pytest.fixture
def console(admin: User, sign_in: SignIn, document: Path) -> Client:  # noqa: ARG001
    return sign_in(admin)


def shown(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, path
    page = answer.content.decode().replace("&amp;", "&")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def order(page: str, *names: str) -> list[str]:
    """Names in the order in which they stand on a page."""
    return sorted(names, key=lambda name: page.index(f" {name} "))


def test_every_version_is_listed_with_what_holds_for_all_of_its_routes(console: Client) -> None:
    page = shown(console, "/apis/")
    for said in ("Orders v2", "Orders v1", "ends on 2098-01-31", "/sales/v2", "plain v1", "nobody yet"):
        assert said in page
    assert "guard shadow" in page
    assert "Not known while the node does not answer" in page


def test_services_stand_there_with_their_health_and_what_they_answer(
    console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "stats", lambda: STATS)
    page = shown(console, "/apis/")
    assert "1 of 2 healthy, circuit open" in page
    assert "10.0.0.2:80 down" in page
    assert "orders/v1, orders/v2, plain/v1" in page


def test_the_service_of_a_model_answers_where_the_model_does(
    document: Path,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(node, "stats", lambda: {"upstreams": {"service/openai": {}, "other": {}}})
    of_model, other = services.services() or []
    assert of_model.versions == ("orders/v1", "orders/v2", "plain/v1")
    assert other.versions == ()


def test_a_route_is_shown_with_its_policies_in_their_order_and_where_each_is_declared(
    console: Client,
) -> None:
    page = shown(console, DELETE)
    found = page[page.index("in this order") : page.index("To change one of them")]
    assert order(found, "blocked", "key", "fair-use", "month", "guard", "old", "spare") == [
        *("key", "blocked", "fair-use", "month", "guard"),
        *("old", "spare"),
    ]
    assert "route orders/v2 GET,DELETE /orders/{id}" in found
    assert "the whole gateway" in found
    assert "shadow, 25 % of callers" in found
    assert "off" in found
    assert "At most 5 calls in an hour" in found
    assert "limit: 5" in found
    assert "a secret of the owner security" in found
    assert "not said" in found


def test_without_a_route_it_says_what_holds_for_all_and_lists_them(console: Client) -> None:
    page = shown(console, "/apis/orders/v2/")
    assert "Policies of every route" in page
    assert "may-write" not in page[: page.index("Routes Route")]
    assert "POST /sales/v2/orders" in page
    assert "4 enforced" in page
    assert "5 enforced, 1 in shadow, 2 off" in page


def test_a_route_that_is_gone_is_told_and_the_others_stay(console: Client) -> None:
    page = shown(console, "/apis/orders/v2/?route=PUT%20/old")
    assert "No route PUT /old is served any more" in page
    assert "POST /sales/v2/orders" in page


@pytest.mark.parametrize("path", ["/apis/nope/v1/", "/apis/orders/v9/"])
def test_what_is_not_served_has_no_page(console: Client, path: str) -> None:
    assert "There is no such page" in shown(console, path, 404)


def test_routes_are_narrowed_by_a_part_of_their_path(console: Client) -> None:
    page = shown(console, "/apis/orders/v2/?contains=%7BID%7D")
    assert "GET,DELETE /sales/v2/orders/{id}" in page
    assert "POST /sales/v2/orders" not in page
    assert "No route contains nowhere" in shown(console, "/apis/orders/v2/?contains=nowhere")


def test_every_policy_is_listed_once_with_what_it_is_for(console: Client) -> None:
    page = shown(console, "/policies/")
    assert page.count("may-write") == 1
    assert page.count(" headers ") == 1
    assert "every API" in page
    assert "a secret of the owner security" in page
    assert order(page, "headers", "fair-use") == ["headers", "fair-use"]


def test_policies_are_narrowed_by_kind_mode_and_purpose(console: Client) -> None:
    assert "may-write" in shown(console, "/policies/?contains=require")
    found = shown(console, "/policies/?contains=SHADOW")
    assert "guard" in found
    assert "fair-use" not in found
    assert "No policy contains nowhere" in shown(console, "/policies/?contains=nowhere")


def test_long_settings_are_cut_on_the_page(console: Client, document: Path) -> None:
    many = ", ".join(f"192.0.2.{number}" for number in range(1, 200))
    document.write_text(document.read_text().replace("deny: [192.0.2.77]", f"deny: [{many}]"))
    catalogue.forget()
    page = shown(console, DELETE)
    assert "192.0.2.10," in page
    assert "192.0.2.199" not in page


def test_callers_see_neither_what_a_policy_is_for_nor_what_is_off(console: Client) -> None:
    for path in ("/portal/apis/orders/versions/v2/", "/portal/apis/orders/versions/v2/index.md"):
        page = shown(console, path)
        assert "a secret of the owner" not in page
        assert "spare" not in page


def asked(token: str, path: str, status: int = 200) -> Any:
    answer = Client().get(f"/api/v1{path}", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == status, answer.content
    return json.loads(answer.content)


def test_the_api_says_what_the_pages_say(
    new_token: NewToken,
    document: Path,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = new_token("changes:read")
    routes = asked(token, "/apis/orders/v2/routes")
    route = next(one for one in routes if "DELETE" in one["methods"])
    assert [one["id"] for one in route["policies"]][-2:] == ["old", "spare"]
    guard = next(one for one in route["policies"] if one["id"] == "guard")
    assert (guard["mode"], guard["percent"], guard["declared_for"]) == ("shadow", 25.0, "version orders/v2")
    assert guard["purpose"] == {"why": "a secret of the owner", "owner": "security", "measure": None}
    policies = {one["policy"]["id"]: one for one in asked(token, "/policies")}
    assert policies["may-write"]["versions"] == [{"api": "orders", "version": "v2"}]
    assert policies["headers"]["routes"] > 3
    assert "there are: orders, plain" in asked(token, "/apis/nope/v1/routes", 404)["detail"]
    assert asked(token, "/upstreams") == []
    monkeypatch.setattr(node, "stats", lambda: STATS)
    (upstream,) = asked(token, "/upstreams")
    assert [one["is_healthy"] for one in upstream["targets"]] == [True, False]


def test_an_empty_gateway_says_how_to_begin(admin: User, sign_in: SignIn) -> None:
    client = sign_in(admin)
    assert "No API is served yet" in shown(client, "/apis/")
    assert "everybody may call everything" in shown(client, "/policies/")
