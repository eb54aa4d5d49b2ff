"""H8: policies see the path that is forwarded (after Envoy CVE-2021-29492).

H9: they see all values of a field, and no control bytes (after Envoy CVE-2019-9900).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from services import Service, say

if TYPE_CHECKING:
    from conftest import Serve

GUARDED = (
    "routes: [{ match: { path: '/admin/{*rest}' }, "
    "policies: [{ id: no, kind: ip_filter, allow: [10.0.0.0/8] }] }]"
)


def ask(address: str, target: str) -> int:
    said = say(address, f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    return int(said.split(b" ")[1])


@pytest.mark.parametrize(
    "target",
    [
        "/admin/x",
        "/x/../admin/x",
        "/%61dmin/x",
        "/./admin/x",
        "//admin/x",
        "/admin//x",
        "/admin%2fx",
        "/admin%5cx",
        "/admin\\x",
        "/admin;a=b/x",
        "/admin/%00x",
        "/admin/%zz",
        "/x/%2e%2e/admin/x",
        "/admin/x%0d%0a",
        "http://a/admin/x",
    ],
)
def test_no_spelling_of_a_path_gets_past_its_policies(serve: Serve, target: str) -> None:
    with Service() as service:
        gateway = serve(service.url, routes=GUARDED)
        assert ask(gateway.listeners["public"], target) in {400, 403}
        assert ask(gateway.listeners["public"], "/open/%41;b") in {200, 400}
    assert not [request for request in service.requests if "admin" in request.path]


def test_the_path_that_was_judged_is_forwarded_byte_for_byte(serve: Serve) -> None:
    with Service() as service:
        gateway = serve(service.url)
        for target in ("/a/%41b", "/c?x=%2f..", "/caf%C3%A9"):
            ask(gateway.listeners["public"], target)
    assert [request.path for request in service.requests] == ["/a/Ab", "/c?x=%2f..", "/caf%C3%A9"]


def test_policies_see_every_value_of_a_repeated_field(serve: Serve) -> None:
    refuse = (
        "{ id: beta, kind: require, any_of: [{ scopes: [beta] }], "
        "when: \"request.headers['x-beta'].contains('on')\" }"
    )
    with Service() as service:
        gateway = serve(service.url, policies=f"{{ id: key, kind: api_key }}, {refuse}")
        base = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Api-Key: lg_try_me\r\n"
        for fields in (b"X-Beta: on\r\n", b"X-Beta: off\r\nX-Beta: on\r\n", b"X-Beta: off, on\r\n"):
            said = say(gateway.listeners["public"], base + fields + b"\r\n")
            assert said.startswith(b"HTTP/1.1 403"), fields
        two = b"X-Api-Key: lg_other\r\n\r\n"
        assert say(gateway.listeners["public"], base + two).startswith(b"HTTP/1.1 401")
    assert service.requests == []


@pytest.mark.parametrize("value", [b"a\0b", b"a\rb", b"a\nb", b"a\r\n b", b"a\x01b"])
def test_control_bytes_in_a_field_are_refused(serve: Serve, value: bytes) -> None:
    with Service() as service:
        gateway = serve(service.url)
        said = say(gateway.listeners["public"], b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + value + b"\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 400")
    assert service.requests == []
