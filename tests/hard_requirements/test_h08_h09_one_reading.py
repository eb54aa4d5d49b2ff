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
        "/x/%25%32%65%25%32%65/admin/x",
        "/x/%252e%252e/admin/x",
        "/%2561dmin/x",
        "/admin%25%32fx",
        "/x/%c0%ae%c0%ae/%61dmin/x",
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


CREDENTIALS = {
    "a field, twice": ("header: X-Pin", b"/", b"X-Pin: lg_try_me\r\nX-Pin: lg_try_me\r\n"),
    "a field with another in between": ("header: X-Pin", b"/", b"X-Pin: a\r\nX-B: c\r\nx-pin: lg_try_me\r\n"),
    "a field with a comma": ("header: X-Pin", b"/", b"X-Pin: lg_try_me, lg_try_me\r\n"),
    "a field, once empty": ("header: X-Pin", b"/", b"X-Pin:\r\nX-Pin: lg_try_me\r\n"),
    "a parameter, twice": ("query: pin", b"/?pin=lg_try_me&pin=lg_try_me", b""),
    "a parameter, once escaped": ("query: pin", b"/?p%69n=x&pin=lg_try_me", b""),
    "a parameter, once empty": ("query: pin", b"/?pin&pin=lg_try_me", b""),
    "a cookie, twice": ("cookie: pin", b"/", b"Cookie: pin=lg_try_me; pin=lg_try_me\r\n"),
    "a cookie in two fields": ("cookie: pin", b"/", b"Cookie: pin=a\r\nCookie: pin=lg_try_me\r\n"),
    "a cookie, once with a space": ("cookie: pin", b"/", b"Cookie: pin=lg_try_me; pin =other\r\n"),
    "a cookie, once in bytes that are no text": ("cookie: pin", b"/", b"Cookie: pin=lg_try_me; pin=\xff\r\n"),
}


@pytest.mark.parametrize("name", CREDENTIALS)
def test_a_credential_that_comes_twice_is_none(serve: Serve, name: str) -> None:
    """Which of the two would the service take? (After Envoy CVE-2019-9900.)"""
    place, target, fields = CREDENTIALS[name]
    with Service() as service:
        gateway = serve(service.url, policies=f"{{ id: key, kind: api_key, in: {{ {place} }} }}")
        request = b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + fields + b"\r\n"
        assert say(gateway.listeners["public"], request).startswith(b"HTTP/1.1 401")
        assert service.requests == []
        sort, _, field = place.partition(": ")
        alone = {
            "header": (b"/", f"{field}: lg_try_me\r\n".encode()),
            "query": (b"/?pin=lg_try_me&a=b", b""),
            "cookie": (b"/", b"Cookie: a=\xff; pin=lg_try_me; c=d\r\n"),
        }[sort]
        request = b"GET " + alone[0] + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + alone[1] + b"\r\n"
        assert say(gateway.listeners["public"], request).startswith(b"HTTP/1.1 200")
    assert "lg_try_me" not in str(service.requests[0])


@pytest.mark.parametrize("scheme", [b"Basic c2hvcDpwdw==", b"Bearer a.b.c"])
def test_two_authorizations_are_refused_whichever_comes_first(serve: Serve, scheme: bytes) -> None:
    kinds = {
        b"Basic": "{ id: who, kind: basic_auth }",
        b"Bearer": "{ id: who, kind: oauth2_introspection, endpoint: 'http://127.0.0.1:1/', "
        "client_id: a, client_secret: '${env:HOME}', allow_private: true }",
    }
    with Service() as service:
        gateway = serve(service.url, policies=kinds[scheme.split(b" ")[0]])
        for other in (b"Negotiate x", scheme, b""):
            for pair in ((scheme, other), (other, scheme)):
                fields = b"".join(b"Authorization: " + value + b"\r\n" for value in pair)
                request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + fields + b"\r\n"
                assert say(gateway.listeners["public"], request).startswith(b"HTTP/1.1 401")
    assert service.requests == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (b"X-Tier: free\r\n", 200),
        (b"X-Tier: paid\r\n", 403),
        (b"X-Tier: free\r\nX-Tier: paid\r\n", 403),
        (b"X-Tier: paid\r\nX-Tier: free\r\n", 403),
        (b"X-Tier: free, paid\r\n", 403),
        # What the condition cannot read is not taken for absent.
        (b"X-Tier: free\r\nX-Tier: \xff\r\n", 503),
        (b"", 503),
    ],
)
def test_a_condition_sees_all_values_or_the_request_is_refused(
    serve: Serve, fields: bytes, status: int
) -> None:
    refuse = (
        "{ id: paid, kind: ip_filter, allow: [192.0.2.0/24], "
        "when: \"request.headers['x-tier'].contains('paid')\" }"
    )
    with Service() as service:
        gateway = serve(service.url, policies=refuse)
        request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + fields + b"\r\n"
        said = say(gateway.listeners["public"], request)
    assert int(said.split(b" ")[1]) == status, said


def test_a_limit_counts_a_repeated_field_as_one_key_that_no_order_hides(serve: Serve) -> None:
    """Two lines are one value to the limit as they are to the service: joined, in their order."""
    limit = "{ id: each, kind: rate_limit, limit: 1, per: 1h, by: \"cel:request.headers['x-user']\" }"
    with Service() as service:
        gateway = serve(service.url, policies=limit)

        def ask_as(*users: bytes) -> int:
            fields = b"".join(b"X-User: " + user + b"\r\n" for user in users)
            request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + fields + b"\r\n"
            return int(say(gateway.listeners["public"], request).split(b" ")[1])

        assert [ask_as(b"a, b"), ask_as(b"a", b"b"), ask_as(b"a")] == [200, 429, 200]


def test_head_finds_no_way_past_the_policies_of_get(serve: Serve) -> None:
    """`HEAD` is `GET` without the body (RFC 9110 section 9.3.2); what is not listed would take it else."""
    guard = "policies: [{ id: no, kind: ip_filter, allow: [10.0.0.0/8] }]"
    routes = f"routes: [{{ match: {{ path: /admin, methods: [GET] }}, {guard} }}]"
    with Service() as service:
        gateway = serve(service.url, routes=routes)
        for method in (b"GET", b"HEAD"):
            request = method + b" /admin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            assert say(gateway.listeners["public"], request).startswith(b"HTTP/1.1 403"), method
    assert service.requests == []
