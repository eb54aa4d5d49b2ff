"""H6: identity fields are rebuilt.

H7: `Connection` cannot strip what the gateway adds (after Traefik CVE-2024-45410).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from services import Service

if TYPE_CHECKING:
    from conftest import Serve

IDENTIFY = "{ id: key, kind: api_key }, { id: tell, kind: headers, request: { set: { X-Tenant: shop } } }"
FORGED = [
    ("X-Forwarded-For", "10.9.9.9"),
    ("X_Forwarded_For", "10.9.9.9"),
    ("X-Forwarded-Host", "evil"),
    ("X-Forwarded-Proto", "https"),
    ("Forwarded", "for=10.9.9.9"),
    ("X-Lockgate-Application", "admin"),
    ("x_lockgate_application", "admin"),
    ("X-LOCKGATE-SUBJECT", "root"),
]


def test_what_a_caller_says_of_itself_is_not_passed_on(serve: Serve, key: dict[str, str]) -> None:
    with Service() as service:
        gateway = serve(service.url, policies=IDENTIFY)
        assert httpx.get(gateway.urls["public"], headers=FORGED + list(key.items())).status_code == 200
    (request,) = service.requests
    told = {name.lower(): value for name, value in request.headers}
    assert told["x-lockgate-application"] == "shop"
    assert told["x-forwarded-for"] == "127.0.0.1"
    assert told["x-forwarded-proto"] == "http"
    assert not {"forwarded", "x_forwarded_for", "x_lockgate_application", "x-lockgate-subject"} & set(told)
    assert "admin" not in told.values()


def test_connection_strips_nothing_that_the_gateway_adds(serve: Serve, key: dict[str, str]) -> None:
    strip = "close, X-Lockgate-Application, X-Forwarded-For, X-Tenant, X-Api-Key, Authorization, Host"
    with Service() as service:
        gateway = serve(service.url, policies=IDENTIFY)
        headers = {"Connection": strip, "X-Custom": "stays", "Authorization": "Basic x"} | key
        assert httpx.get(gateway.urls["public"], headers=headers).status_code == 200
    (request,) = service.requests
    for name in (
        "X-Lockgate-Application",
        "X-Forwarded-For",
        "X-Tenant",
        "Host",
        "X-Custom",
        "Authorization",
    ):
        assert len(request.all(name)) == 1, name


WRITTEN = [
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Real-IP",
    "X-Lockgate-Application",
    "X-Lockgate-Subject",
    "X-Lockgate-Request-Id",
    "X-Tenant",
]


def spellings(name: str) -> list[str]:
    under = name.replace("-", "_")
    mixed = name.replace("-", "_", 1)
    return [name, name.lower(), name.upper(), under, under.lower(), under.upper(), mixed, mixed.upper()]


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("http2", [False, True])
def test_no_spelling_of_a_field_that_the_gateway_writes_comes_through(
    serve: Serve, key: dict[str, str], name: str, http2: bool
) -> None:
    """Services that follow CGI (RFC 3875 §4.1.18) take `X_Tenant` for `X-Tenant`."""
    with Service() as service:
        gateway = serve(service.url, policies=IDENTIFY)
        with httpx.Client(http1=not http2, http2=http2) as client:
            for spelling in spellings(name):
                headers = [(spelling.lower() if http2 else spelling, "forged"), *key.items()]
                assert client.get(gateway.urls["public"], headers=headers).status_code == 200
    for request in service.requests:
        seen = {
            field: value
            for field, value in request.headers
            if field.lower().replace("_", "-") == name.lower()
        }
        assert "forged" not in seen.values()
        assert all("_" not in field for field in seen)


@pytest.mark.parametrize("name", ["Content_Length", "Transfer_Encoding", "Keep_Alive", "Proxy_Connection"])
def test_no_alias_says_where_a_message_ends(serve: Serve, key: dict[str, str], name: str) -> None:
    with Service() as service:
        gateway = serve(service.url, policies=IDENTIFY)
        answer = httpx.post(gateway.urls["public"], content=b"hello", headers=[(name, "3"), *key.items()])
        assert answer.status_code == 200
    assert service.requests[0].all(name) == []
    assert service.requests[0].body == b"hello"


def test_a_credential_that_is_taken_out_is_taken_out_under_every_name(
    serve: Serve, key: dict[str, str]
) -> None:
    forged = [("X_Api_Key", "another"), ("x_api-key", "another")]
    with Service() as service:
        gateway = serve(service.url, policies="{ id: key, kind: api_key }")
        assert httpx.get(gateway.urls["public"], headers=[*forged, *key.items()]).status_code == 200
        # Alone it is no credential.
        assert httpx.get(gateway.urls["public"], headers=[("X_Api_Key", "lg_try_me")]).status_code == 401
    (request,) = service.requests
    assert not [name for name, _ in request.headers if "api" in name.lower()]


@pytest.mark.parametrize(
    "name",
    [
        "X-Original-URL",
        "X_Original_URL",
        "X-Rewrite-URL",
        "X-Original-Host",
        "X-Host",
        "X-Forwarded-Server",
        "X-Forwarded-Scheme",
        "X-Forwarded-Ssl",
        "X-Client-IP",
        "X-Cluster-Client-IP",
        "True-Client-IP",
    ],
)
def test_no_other_name_tells_a_service_of_another_path_host_or_caller(serve: Serve, name: str) -> None:
    """H8 too: a service that reads it answers for what no policy judged (Symfony CVE-2018-14773)."""
    with Service() as service:
        gateway = serve(service.url, policies="{ id: key, kind: api_key }")
        headers = {name: "/admin", "X-Api-Key": "lg_try_me"}
        assert httpx.get(gateway.urls["public"], headers=headers).status_code == 200
    (request,) = service.requests
    assert "/admin" not in [value for _, value in request.headers]
