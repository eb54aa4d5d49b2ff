"""All of it by the admin API, with its permissions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from lockgate.control.access.models import Application

if TYPE_CHECKING:
    from collections.abc import Callable

    from control.access.site import Node
    from control.people import NewToken, NewUser, SignIn

    Call = Callable[..., tuple[int, Any]]


def caller(client: Client, **headers: str) -> Call:
    def call(method: str, path: str, body: object = None, status: int = 0) -> tuple[int, Any]:
        answer = client.generic(
            method,
            f"/api/v1{path}",
            json.dumps(body) if body is not None else "",
            content_type="application/json",
            headers=headers,
        )
        said = json.loads(answer.content) if answer.content else None
        assert status in {0, answer.status_code}, said
        return answer.status_code, said

    return call


@pytest.fixture
def dora(new_user: NewUser, sign_in: SignIn) -> Call:
    return caller(sign_in(new_user("developer", "dora@example.com")))


@pytest.fixture
def olaf(new_user: NewUser, sign_in: SignIn) -> Call:
    return caller(sign_in(new_user("api_owner", "olaf@example.com")))


def test_from_a_team_to_a_call_by_the_api_alone(node: Node, dora: Call, olaf: Call) -> None:
    dora("POST", "/teams", {"name": "web", "title": "Web"}, 201)
    _, made = dora("POST", "/applications", {"name": "web-shop", "team": "web"}, 201)
    assert (made["team"], made["state"]) == ("web", "active")
    plan = {"name": "gold", "apis": ["orders"], "scopes": ["orders:read"], "rate_limit": 3, "rate_per": "1h"}
    olaf("POST", "/plans", plan, 201)
    _, shown = olaf("GET", "/plans/gold", status=200)
    assert shown["missing"] == []
    assert "gold-rate" in shown["policies"]
    _, asked = dora("POST", "/applications/web-shop/subscriptions", {"plan": "gold"}, 201)
    assert asked["state"] == "requested"
    _, waiting = olaf("GET", "/subscriptions", status=200)
    assert [one["application"] for one in waiting] == ["web-shop"]
    olaf("POST", f"/subscriptions/{asked['id']}/decision", {"approve": True}, 200)
    _, issued = dora("POST", "/applications/web-shop/credentials", {"label": "production"}, 201)
    key, pk = issued["secret"], issued["credential"]["id"]
    assert node.call("/orders", key=key) == (200, "")
    _, new = dora("POST", f"/applications/web-shop/credentials/{pk}/rotate", {"overlap_hours": 1}, 201)
    assert new["credential"]["replaces"] == pk
    assert [node.call("/orders", key=one)[0] for one in (key, new["secret"])] == [200, 200]
    dora("POST", f"/applications/web-shop/credentials/{pk}/revoke", {}, 200)
    assert node.call("/orders", key=key) == (401, "api_key.invalid")
    _, listed = dora("GET", "/applications/web-shop/credentials", status=200)
    assert [one["id"] for one in listed] == [new["credential"]["id"], pk]
    assert new["secret"] not in json.dumps(listed)
    dora("POST", f"/subscriptions/{asked['id']}/end", {}, 200)
    assert node.call("/orders", key=new["secret"]) == (403, "require.scope")
    _, told = olaf("GET", "/directory", status=200)
    assert told["waiting"] == []
    assert told["sequence"] > 1


def test_a_developer_sees_their_own_alone(dora: Call, olaf: Call) -> None:
    dora("POST", "/teams", {"name": "web"}, 201)
    dora("POST", "/applications", {"name": "web-shop", "team": "web"}, 201)
    assert [one["name"] for one in dora("GET", "/me/applications", status=200)[1]] == ["web-shop"]
    assert [one["name"] for one in dora("GET", "/me/teams", status=200)[1]] == ["web"]
    assert dora("GET", "/applications")[0] == 403
    assert dora("GET", "/directory")[0] == 403
    assert dora("POST", "/plans", {"name": "gold", "apis": ["orders"]})[0] == 403
    assert [one["name"] for one in olaf("GET", "/applications", status=200)[1]] == ["web-shop"]
    assert olaf("POST", "/applications/web-shop/credentials", {})[0] == 404
    assert olaf("GET", "/me/applications", status=200)[1] == []


def test_members_come_by_an_invitation_and_go(dora: Call, new_user: NewUser, sign_in: SignIn) -> None:
    dora("POST", "/teams", {"name": "web"}, 201)
    _, invited = dora("POST", "/teams/web/invitations", {"email": "emil@example.com"}, 201)
    path = invited["link"].partition("testserver")[2]
    emil = sign_in(new_user("developer", "emil@example.com"))
    assert "Join web" in emil.get(path).content.decode()
    emil.post(path)
    found = dora("GET", "/teams/web/members", status=200)[1]
    assert [(one["email"], one["role"]) for one in found] == [
        ("dora@example.com", "owner"),
        ("emil@example.com", "member"),
    ]
    dora("PATCH", "/teams/web/members/emil@example.com", {"role": "owner"}, 200)
    dora("DELETE", "/teams/web/members/dora@example.com", status=204)
    assert dora("GET", "/teams/web/members")[0] == 404


def test_a_service_account_locks_an_application(dora: Call, new_token: NewToken) -> None:
    dora("POST", "/teams", {"name": "web"}, 201)
    dora("POST", "/applications", {"name": "web-shop", "team": "web"}, 201)
    token = new_token("applications:own", "applications:write")
    bot = caller(Client(), Authorization=f"Bearer {token}")
    assert bot("POST", "/applications/web-shop/suspend", {"why": "it scans"}, 200)[1]["state"] == "suspended"
    reader = caller(Client(), Authorization=f"Bearer {new_token('applications:read')}")
    assert reader("GET", "/applications/web-shop", status=200)[1]["state"] == "suspended"
    assert reader("POST", "/applications/web-shop/resume", {})[0] == 403


def test_what_makes_no_sense_is_said(dora: Call, olaf: Call) -> None:
    dora("POST", "/teams", {"name": "web"}, 201)
    status, said = dora("POST", "/applications", {"name": "Web Shop", "team": "web"})
    assert (status, said["detail"][:31]) == (422, "`Web Shop` cannot be the name o")
    assert dora("POST", "/applications", {"name": "a", "team": "web", "plan": "gold"})[0] == 422
    assert dora("POST", "/applications", {"name": "a", "team": "nope"})[0] == 404
    assert Application.objects.count() == 0
    status, said = olaf("PATCH", "/plans/nope", {"title": "x"})
    assert (status, said["detail"]) == (404, "there is no plan `nope`")


def test_a_limit_is_taken_away_with_null(olaf: Call) -> None:
    plan = {"name": "gold", "apis": ["orders"], "quota": 5, "quota_per": "day", "owner": "olaf@example.com"}
    olaf("POST", "/plans", plan, 201)
    _, changed = olaf("PATCH", "/plans/gold", {"quota": None}, 200)
    assert (changed["quota"], changed["quota_per"], changed["owner"]) == (None, "", "olaf@example.com")
    for field in ("title", "apis", "needs_approval"):
        status, _ = olaf("PATCH", "/plans/gold", {field: None})
        assert status == 422, field
