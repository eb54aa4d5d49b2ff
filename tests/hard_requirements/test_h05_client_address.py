"""H5: the client address comes from the socket or from listed proxies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from services import Service

if TYPE_CHECKING:
    from conftest import Serve

LOCAL_ONLY = "{ id: local, kind: ip_filter, allow: [127.0.0.0/8] }"
SPOOFS = [
    {"X-Forwarded-For": "10.9.9.9"},
    {"X-Real-IP": "10.9.9.9"},
    {"Forwarded": "for=10.9.9.9"},
    {"X_Forwarded_For": "10.9.9.9"},
    {"True-Client-IP": "10.9.9.9"},
]


@pytest.mark.parametrize("spoof", SPOOFS)
def test_a_spoofed_address_changes_nothing(serve: Serve, spoof: dict[str, str]) -> None:
    with Service() as service:
        gateway = serve(service.url, policies="{ id: far, kind: ip_filter, allow: [10.0.0.0/8] }")
        assert httpx.get(gateway.urls["public"], headers=spoof).status_code == 403
        gateway = serve(service.url, policies=LOCAL_ONLY)
        assert httpx.get(gateway.urls["public"], headers=spoof).status_code == 200
    assert service.requests[0].all("x-forwarded-for") == ["127.0.0.1"]


def test_a_listed_proxy_is_believed_about_the_hop_before_it_alone(serve: Serve) -> None:
    with Service() as service:
        gateway = serve(service.url, policies=LOCAL_ONLY, listener="trusted_proxies: [127.0.0.1/32]")
        url = gateway.urls["public"]
        assert httpx.get(url, headers={"X-Forwarded-For": "127.0.0.9, 192.0.2.7"}).status_code == 403
        assert httpx.get(url, headers={"X-Forwarded-For": "192.0.2.7, 127.0.0.9"}).status_code == 200
    assert service.requests[0].all("x-forwarded-for") == ["127.0.0.9"]
