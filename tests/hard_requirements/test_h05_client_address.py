"""H5: the client address comes from the socket or from listed proxies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import lockgate
import pytest
from services import Service, say

if TYPE_CHECKING:
    from pathlib import Path

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


PROXIES = "trusted_proxies: [127.0.0.0/8, '::1/128', 10.0.0.0/8, '2001:db8:1::/48']"


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        ([b"2001:db8:9::7"], "2001:db8:9::7"),
        ([b"2001:db8:9::7, 2001:db8:1::1, 10.0.0.2"], "2001:db8:9::7"),
        ([b"192.0.2.1, 2001:db8:9::7", b"10.0.0.2", b"2001:db8:1::1,10.0.0.3"], "2001:db8:9::7"),
        ([b"::ffff:192.0.2.7"], "192.0.2.7"),
        ([b"192.0.2.7, ::ffff:10.0.0.2"], "192.0.2.7"),
        ([b"198.51.100.1, 192.0.2.7, 10.0.0.2"], "192.0.2.7"),
        # What is no address ends the walk at the last hop that is known.
        ([b"192.0.2.7, unknown"], "127.0.0.1"),
        ([b"192.0.2.7, 0x7f.1, 10.0.0.2"], "10.0.0.2"),
        ([b"192.0.2.7, fe80::1%eth0"], "127.0.0.1"),
        # Bytes that are no text hide neither a hop nor a line.
        ([b"\xff, 192.0.2.7"], "192.0.2.7"),
        ([b"198.51.100.1", b"\xe9, 192.0.2.7"], "192.0.2.7"),
        ([b"198.51.100.1", b"\xff"], "127.0.0.1"),
        ([b""], "127.0.0.1"),
        ([b",,,"], "127.0.0.1"),
        ([b"10.0.0.2, 10.0.0.3"], "10.0.0.2"),
    ],
)
def test_the_walk_goes_over_listed_proxies_of_both_families_and_no_further(
    serve: Serve, lines: list[bytes], client: str
) -> None:
    with Service() as service:
        gateway = serve(service.url, listener=PROXIES)
        fields = b"".join(b"X-Forwarded-For: " + line + b"\r\n" for line in lines)
        request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + fields + b"\r\n"
        assert say(gateway.listeners["public"], request).startswith(b"HTTP/1.1 200")
    assert service.requests[0].all("x-forwarded-for") == [client]


def test_a_caller_over_ipv6_is_known_by_its_socket(serve: Serve, tmp_path: Path) -> None:
    policies = "{ id: six, kind: ip_filter, allow: ['::1/128'] }"
    with Service() as service:
        serve(service.url, policies=policies).stop(0)
        document = tmp_path / "gateway.yaml"
        document.write_text(document.read_text().replace("127.0.0.1:0", "[::1]:0", 1))
        with lockgate.Gateway(document) as gateway:
            for spoof in ({}, {"X-Forwarded-For": "2001:db8::1"}, {"X-Real-IP": "192.0.2.1"}):
                assert httpx.get(gateway.urls["public"], headers=spoof).status_code == 200
    assert [request.all("x-forwarded-for") for request in service.requests] == [["::1"]] * 3
