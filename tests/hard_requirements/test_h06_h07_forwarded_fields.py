"""H6: identity fields are rebuilt.

H7: `Connection` cannot strip what the gateway adds (after Traefik CVE-2024-45410).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
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
