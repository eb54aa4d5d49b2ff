"""H20: fetches refuse private and link-local addresses unless they are allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import lockgate
import pytest
from services import Service

if TYPE_CHECKING:
    from conftest import Serve

POLICY = (
    "{{ id: token, kind: jwt, issuer: 'https://id.example.com', audience: a, "
    "algorithms: [ES256], jwks: '{url}'{more} }}"
)


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1/keys", "https://127.0.0.1/keys", "https://[::1]/keys", "https://192.168.1.1/k"]
)
def test_a_private_address_must_be_allowed_in_words(serve: Serve, url: str) -> None:
    with Service() as service, pytest.raises(lockgate.ProblemsError, match="is a private address"):
        serve(service.url, policies=POLICY.format(url=url, more=""))


def test_a_name_that_leads_to_a_private_address_is_not_asked(serve: Serve) -> None:
    with Service() as asked, Service() as service:
        # A public name that resolves to this machine; where there is no resolver, it is not asked either.
        url = f"https://localtest.me:{asked.port}/keys"
        gateway = serve(service.url, policies=POLICY.format(url=url, more=""))
        refused = httpx.get(gateway.urls["public"], headers={"Authorization": "Bearer a.b.c"})
    assert refused.status_code in {401, 503}
    assert asked.requests == []


def test_the_admin_listener_is_not_asked_even_when_private_addresses_are_allowed(serve: Serve) -> None:
    with Service() as service:
        gateway = serve(service.url)
        url = f"http://{gateway.admin}/stats.json"
        other = serve(service.url, policies=POLICY.format(url=url, more=", allow_private: true"))
        token = "eyJhbGciOiJFUzI1NiJ9.e30.AA"
        assert httpx.get(other.urls["public"], headers={"Authorization": f"Bearer {token}"}).status_code in {
            401,
            503,
        }
