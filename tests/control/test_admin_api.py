"""The admin API: no route without a credential (H3), each with its permission, and what each does."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from lockgate.control.accounts.models import User
from lockgate.control.accounts.roles import NAMES, permissions_of
from lockgate.control.api.admin import api
from lockgate.control.audit.models import Entry
from ninja import Schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from control.people import NewToken, NewUser, SignIn, Traffic
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

BASE = "/api/v1"


def routes() -> list[tuple[str, str]]:
    """Every method and path of the router, hidden ones too."""
    return sorted(
        (method, BASE + router_path + re.sub(r"\{\w+\}", "1", path))
        for router_path, router in api._routers  # noqa: SLF001 - the router itself is the only whole list
        for path, view in router.path_operations.items()
        for operation in view.operations
        for method in operation.methods
    )


def call(method: str, path: str, token: str | None = None, body: Any = None) -> Answer:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = "" if body is None else json.dumps(body)
    answer: Answer = Client(enforce_csrf_checks=True).generic(
        method, path, data, content_type="application/json", headers=headers
    )
    return answer


def told(answer: Answer, status: int = 200) -> Any:
    assert answer.status_code == status, answer.content
    return json.loads(answer.content)


def test_no_two_forms_have_one_name() -> None:
    """The document of the API would describe both by the one that it met last."""

    def below(form: type[Schema]) -> Iterator[type[Schema]]:
        for one in form.__subclasses__():
            yield one
            yield from below(one)

    found = [one.__name__ for one in below(Schema) if one.__module__.startswith("lockgate.control.api.")]
    assert {name for name in found if found.count(name) > 1} == set()


def test_the_router_is_enumerated_whole() -> None:
    assert len(routes()) >= 46
    assert {("GET", f"{BASE}/openapi.json"), ("POST", f"{BASE}/applications")} <= set(routes())


@pytest.mark.parametrize(("method", "path"), routes())
@pytest.mark.parametrize("credential", ["", "Bearer lg_wrong", "Bearer ", "Basic YTpi", "lg_wrong"])
def test_every_route_is_401_without_a_credential(method: str, path: str, credential: str) -> None:
    headers = {"Authorization": credential} if credential else {}
    answer = Client().generic(method, path, "{}", content_type="application/json", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "Bearer" in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(("method", "path"), routes())
def test_every_route_but_those_about_oneself_needs_a_permission(
    method: str, path: str, new_user: NewUser, sign_in: SignIn
) -> None:
    developer = sign_in(new_user("developer", "dev@example.com"))
    expected = {200} if path in {f"{BASE}/me", f"{BASE}/openapi.json"} else {403}
    if is_for_developers(method, path.removeprefix(BASE)):
        # What they have none of, or what they sent, and never what is somebody else's.
        expected = {200, 404, 422}
    assert developer.generic(method, path, "{}", content_type="application/json").status_code in expected


def is_for_developers(method: str, path: str) -> bool:
    """Whether a route is about the caller's own teams and applications, or what there is to choose."""
    about_own = ("/me/", "/teams", "/applications/1", "/subscriptions/1/end")
    others = {("POST", "/applications"), *(("GET", f"/{name}") for name in ("plans", "plans/1"))}
    others |= {("GET", "/catalogue"), ("GET", "/status")}
    return path.startswith(about_own) or (method, path) in others


def every_page(patterns: list[Any], before: str = "") -> Iterator[str]:
    for pattern in patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from every_page(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            yield re.sub(r"<(?:str|slug):\w+>", "x", re.sub(r"<int:\w+>|<\w+>", "1", path))


def test_every_page_but_those_of_the_entrance_leads_to_the_sign_in() -> None:
    open_pages = {
        "/account/login/",
        "/account/inactive/",
        "/account/sign-up/",
        "/account/forgotten/",
        "/account/sign-up/x/",
        "/account/set-password/",
        "/account/provider/x/",
        "/account/provider-sign-up/",
        "/account/email/",
        "/set-up/x/",
        "/link/x/",
        "/.well-known/security.txt",
    }
    for_programs = {
        "/oauth/token",
        "/oauth/jwks.json",
        "/.well-known/oauth-authorization-server",
        "/.well-known/api-catalog",
    }
    found = {f"/{path}" for path in every_page(get_resolver().url_patterns)}
    assert open_pages | for_programs <= found
    for path in sorted(found):
        answer = Client().get(path)
        if path == f"{BASE}/":
            assert answer.status_code == 404
        elif path.startswith(BASE) or path == "/audit/logs":
            assert answer.status_code in {401, 405}, path
        elif path in for_programs:
            assert answer.status_code in {200, 405}, path
        elif path in open_pages:
            assert answer.status_code in {200, 404}, path
        else:
            assert answer.status_code == 302, path
            assert answer.headers["Location"].startswith(
                ("/account/login/", "/account/reauthenticate/", "/account/password/")
            ), path


def test_a_token_is_told_which_permission_is_missing(new_token: NewToken) -> None:
    answer = call("GET", f"{BASE}/users", new_token("audit:read"))
    assert told(answer, 403)["detail"] == "this needs `users:read`"
    assert 'scope="users:read"' in answer.headers["WWW-Authenticate"]


def test_a_session_changes_nothing_without_the_token_of_a_page(admin: User, sign_in: SignIn) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies = sign_in(admin).cookies
    body = json.dumps({"email": "eve@example.com", "role": "developer"})
    answer = client.post(f"{BASE}/users", body, content_type="application/json")
    assert "a session needs the token of one of our pages" in told(answer, 403)["detail"]
    assert User.objects.count() == 1


def test_a_wrong_token_is_not_helped_by_a_session(admin: User, sign_in: SignIn) -> None:
    client = sign_in(admin)
    assert client.get(f"{BASE}/me").status_code == 200
    assert client.get(f"{BASE}/me", headers={"Authorization": "Bearer lg_wrong"}).status_code == 401


def test_people_are_invited_changed_and_given_links(new_token: NewToken, admin: User) -> None:
    token = new_token(*NAMES)
    made = told(call("POST", f"{BASE}/users", token, {"email": "bob@example.com", "role": "developer"}), 201)
    assert made["link"].startswith("http://testserver/link/")
    path = f"{BASE}/users/{made['user']['id']}"
    changed = told(call("PATCH", path, token, {"role": "auditor", "why": "audit team"}))
    assert (changed["role"], changed["is_active"]) == ("auditor", True)
    assert "/link/" in told(call("POST", f"{path}/reset-link", token, {}))["link"]
    assert [user["email"] for user in told(call("GET", f"{BASE}/users", token))] == [
        admin.email,
        "bob@example.com",
    ]
    entry = Entry.objects.get(action="account.changed")
    assert (entry.who, entry.why) == ("service account siem", "audit team")


def test_tokens_are_issued_shown_once_and_revoked(new_token: NewToken) -> None:
    token = new_token(*NAMES)
    asked = {"account": "ci", "purpose": "reports", "scopes": ["audit:read"], "days": 7}
    issued = told(call("POST", f"{BASE}/tokens", token, asked), 201)
    assert call("GET", f"{BASE}/audit", issued["token"]).status_code == 200
    assert issued["token"] not in call("GET", f"{BASE}/tokens", token).content.decode()
    told(call("POST", f"{BASE}/tokens/{issued['about']['id']}/revoke", token, {"why": "done"}))
    assert call("GET", f"{BASE}/audit", issued["token"]).status_code == 401


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/users", {"email": "bob", "role": "developer"}, 422, "`bob` is not an e-mail address"),
        ("/users", {"email": "bob@example.com", "role": "root"}, 422, "there is no role `root`"),
        ("/users", {"email": "bob@example.com", "role": "auditor"}, 403, "may do more than you"),
        ("/users", {"mail": "bob@example.com"}, 422, "not as the OpenAPI document says"),
        ("/users/4711/reset-link", {}, 404, "there is no such account"),
        ("/tokens/4711/revoke", {}, 404, "there is no such token"),
        ("/tokens", {"account": "ci", "scopes": []}, 422, "a token without scopes opens nothing"),
    ],
)
def test_what_cannot_be_done_is_told_as_a_problem(
    new_token: NewToken, path: str, body: Any, status: int, message: str
) -> None:
    token = new_token("users:write", "tokens:write", *permissions_of("developer"))
    answer = call("POST", BASE + path, token, body)
    assert message in told(answer, status)["detail"]
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_audit_log_is_read_and_verified(new_token: NewToken) -> None:
    token = new_token("audit:read")
    found = told(call("GET", f"{BASE}/audit?action=token.&limit=1", token))
    assert ([entry["action"] for entry in found["entries"]], found["next"]) == (["token.issued"], None)
    last = Entry.objects.get(action="token.issued").sha256
    assert told(call("GET", f"{BASE}/audit/verify", token)) == {"entries": 1, "last": last, "fault": None}


def test_exceptions_are_filtered_and_paged(new_token: NewToken, traffic: Traffic) -> None:
    traffic()
    token = new_token("exceptions:read")
    first = told(call("GET", f"{BASE}/exceptions?alert=unauthorized_access&limit=1", token))
    (one,) = first["exceptions"]
    assert (one["code"], one["status"], one["source"]) == ("api_key.missing", 401, "127.0.0.1")
    following = f"{BASE}/exceptions?alert=unauthorized_access&limit=1&cursor={first['next']}"
    last = told(call("GET", following, token))
    assert (len(last["exceptions"]), last["next"]) == (1, None)
    assert call("GET", f"{BASE}/exceptions?cursor=x", token).status_code == 422
    assert call("GET", f"{BASE}/exceptions?limit=0", token).status_code == 422


def test_the_node_may_be_down(new_token: NewToken) -> None:
    token = new_token("traffic:read")
    assert told(call("GET", f"{BASE}/node", token)) == {"listeners": {}, "stats": None}
    assert told(call("GET", f"{BASE}/rollout", token)) == {"rollout": None}
    assert call("GET", f"{BASE}/revisions", token).status_code == 200


def test_settings_and_recordings_are_asked_for(new_token: NewToken, traffic: Traffic) -> None:
    traffic()
    token = new_token("settings:read", "traffic:read")
    groups = told(call("GET", f"{BASE}/settings", token))
    assert {"what": "Listens on", "value": "127.0.0.1:9900", "changed_by": "`--bind`"} in groups[0][
        "settings"
    ]
    said = told(call("GET", f"{BASE}/recordings", token))
    (one,) = said["recordings"]
    assert (one["node"], one["calls"], one["files"], one["damaged"]) == ("first", 6, 1, 0)
    assert said["missing"]


def test_the_openapi_document_names_every_route_and_both_credentials(new_token: NewToken) -> None:
    said = told(call("GET", f"{BASE}/openapi.json", new_token("audit:read")))
    named = {(method.upper(), path) for path, item in said["paths"].items() for method in item}
    assert len(named) == len(routes()) - 1
    for item in said["paths"].values():
        for operation in item.values():
            assert len(operation["security"]) == 2
            assert operation["summary"]
