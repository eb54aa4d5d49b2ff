"""H10: where a message ends is never a matter of opinion.

After Pingora CVE-2025-4366, CVE-2026-2833, -2835, -2836.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from services import Service, say

if TYPE_CHECKING:
    from conftest import Serve

NEXT = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /first HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
HEADS = {
    "length and chunked": POST + b"Content-Length: 5\r\n" + CHUNKED + b"0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
    "a list of lengths": POST + b"Content-Length: 5, 5\r\n\r\nhello",
    "a signed length": POST + b"Content-Length: +5\r\n\r\nhello",
    "two codings": POST + b"Transfer-Encoding: chunked\r\n" + CHUNKED + b"0\r\n\r\n",
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n",
    "a coding before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "bare LF": b"POST /first HTTP/1.1\nHost: a\n\n",
    "bare LF in a field": POST + b"A: b\nContent-Length: 5\r\n\r\nhello",
    "a folded field": POST + b"A: b\r\n c\r\n\r\n",
    "HTTP/1.0 and chunked": b"POST /first HTTP/1.0\r\nHost: a\r\n" + CHUNKED + b"0\r\n\r\n",
}
BODIES = {
    "a size that is none": b"xyz\r\nhello\r\n0\r\n\r\n",
    "a size with a prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "bare LF after a size": b"5\nhello\r\n0\r\n\r\n",
    "a chunk longer than its size": b"3\r\nhello\r\n0\r\n\r\n",
    "a size past all numbers": b"FFFFFFFFFFFFFFFFF\r\nhello\r\n",
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_with_two_readings_is_refused_and_ends_the_connection(serve: Serve, name: str) -> None:
    with Service() as service:
        gateway = serve(service.url)
        said = say(gateway.listeners["public"], HEADS[name] + NEXT)
    assert said.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400")), said
    assert said.count(b"HTTP/1.") == 1
    assert b"connection: close" in said.lower()
    if name != "HTTP/1.0 and chunked":  # hyper refuses it before the gateway sees it
        assert b"request.malformed" in said
    assert service.requests == []


@pytest.mark.parametrize("hosts", [b"Host: a\r\nHost: b\r\n", b"", b"Host: a b\r\n", b"Host: a@b\r\n"])
def test_a_request_is_for_one_host(serve: Serve, hosts: bytes) -> None:
    with Service() as service:
        gateway = serve(service.url)
        said = say(gateway.listeners["public"], b"GET / HTTP/1.1\r\n" + hosts + b"\r\n", wait=1)
    assert said.startswith(b"HTTP/1.1 400")
    assert b"request.malformed" in said
    assert service.requests == []


@pytest.mark.parametrize("name", BODIES)
def test_a_body_with_two_readings_ends_the_connection(serve: Serve, name: str) -> None:
    with Service() as service:
        gateway = serve(service.url)
        said = say(gateway.listeners["public"], POST + CHUNKED + BODIES[name] + NEXT)
    assert not said.startswith(b"HTTP/1.1 200")
    assert "/smuggled" not in [request.path for request in service.requests]


def test_a_body_that_nobody_read_is_not_taken_for_a_request(serve: Serve) -> None:
    with Service() as service:
        gateway = serve(service.url, policies="{ id: key, kind: api_key }")
        body = NEXT.replace(b"\r\n\r\n", b"\r\nX-Api-Key: lg_try_me\r\n\r\n")
        head = POST + b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n"
        said = say(gateway.listeners["public"], head + body, wait=1)
    assert said.startswith(b"HTTP/1.1 401")
    assert service.requests == []


def test_what_follows_a_question_for_another_protocol_waits_for_the_answer(serve: Serve) -> None:
    """A request behind the question is one of its own, under the policies."""
    head = b"GET /first HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    with Service() as service:
        gateway = serve(service.url, policies="{ id: key, kind: api_key }")
        said = say(gateway.listeners["public"], head + NEXT, wait=1)
    assert said.count(b"HTTP/1.1 401") == 2
    assert service.requests == []


def test_h2c_is_not_a_way_past_the_policies(serve: Serve) -> None:
    head = b"GET /first HTTP/1.1\r\nHost: a\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\n"
    with Service() as service:
        gateway = serve(service.url)
        said = say(gateway.listeners["public"], head + b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", wait=1)
    assert said.startswith(b"HTTP/1.1 200")
    assert service.requests[0].all("upgrade") == []


def test_well_formed_requests_on_one_connection_are_all_served(serve: Serve) -> None:
    with Service() as service:
        gateway = serve(service.url)
        chunked = POST + CHUNKED + b"5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"
        sized = POST + b"Content-Length: 5\r\n\r\nhello"
        said = say(gateway.listeners["public"], chunked + sized + NEXT, wait=1)
    assert said.count(b"HTTP/1.1 200") == 3
    assert [request.body for request in service.requests] == [b"hello", b"hello", b""]
