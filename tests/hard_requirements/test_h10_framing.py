"""H10: where a message ends is never a matter of opinion.

After Pingora CVE-2025-4366, CVE-2026-2833, -2835, -2836.
"""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import httpx
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, ResponseReceived, StreamReset
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
    "a length behind chunked": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "chunked twice in one field": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "a coding before chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "no coding at all": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "a coding with a tab before it": POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "a coding folded": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "an empty length": POST + b"Content-Length:\r\n\r\n",
    "a length in another base": POST + b"Content-Length: 0x5\r\n\r\nhello",
    "a negative length": POST + b"Content-Length: -5\r\n\r\nhello",
    "a length past all numbers": POST + b"Content-Length: 18446744073709551621\r\n\r\nhello",
    "a length with a comma": POST + b"Content-Length: 5,\r\n\r\nhello",
    "a name with a space": POST + b"Content Length: 5\r\n\r\nhello",
    "a field without a name": POST + b": 5\r\n\r\n",
    "a field without a colon": POST + b"Content-Length\r\n\r\n",
    "CR within a field": POST + b"A: b\rContent-Length: 5\r\n\r\nhello",
    "NUL within a field": POST + b"A: b\0c\r\n\r\n",
    "bare LF at the end": b"POST /first HTTP/1.1\r\nHost: a\r\n\n",
    "HTTP/1.0 and chunked": b"POST /first HTTP/1.0\r\nHost: a\r\n" + CHUNKED + b"0\r\n\r\n",
}
BODIES = {
    "a size that is none": b"xyz\r\nhello\r\n0\r\n\r\n",
    "a size with a prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "bare LF after a size": b"5\nhello\r\n0\r\n\r\n",
    "a chunk longer than its size": b"3\r\nhello\r\n0\r\n\r\n",
    "a negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "a size with a space behind it": b"5 \r\nhello\r\n0\r\n\r\n",
    "a size with a space before it": b" 5\r\nhello\r\n0\r\n\r\n",
    "an empty size": b"\r\nhello\r\n0\r\n\r\n",
    "bare LF after a chunk": b"5\r\nhello\n0\r\n\r\n",
    "bare CR after a size": b"5\rX\r\nhello\r\n0\r\n\r\n",
    "bare LF within an extension": b"5;a=\nb\r\nhello\r\n0\r\n\r\n",
    "an extension without end": b"5;" + b"a" * 20_000 + b"\r\nhello\r\n0\r\n\r\n",
    "bare LF at the end of trailers": b"0\r\nX-A: 1\n\n",
    "trailers that are folded": b"0\r\nX-A: 1\r\n 2\r\n\r\n",
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
    assert said.count(b"HTTP/1.") <= 1
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


def test_a_length_among_the_trailers_means_nothing(serve: Serve) -> None:
    with Service() as service:
        gateway = serve(service.url)
        trailers = b"5\r\nhello\r\n0\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n"
        said = say(gateway.listeners["public"], POST + CHUNKED + trailers + NEXT, wait=1)
    assert said.count(b"HTTP/1.1 200") == 2
    assert [(request.path, request.body) for request in service.requests] == [
        ("/first", b"hello"),
        ("/smuggled", b""),
    ]
    for request in service.requests:
        assert request.all("content-length") in ([], ["0"], ["5"])


def test_what_follows_a_question_that_the_service_says_no_to_is_judged(serve: Serve) -> None:
    """After Pingora CVE-2026-2833: the bytes behind an upgrade went to the service before it had agreed."""
    head = b"GET /first HTTP/1.1\r\nHost: a\r\nX-Api-Key: lg_try_me\r\nConnection: upgrade\r\n"
    with Service() as service:
        gateway = serve(service.url, policies="{ id: key, kind: api_key }")
        for protocol in (b"websocket", b"foo", b"TLS/1.3", b"websocket, h2c"):
            data = head + b"Upgrade: " + protocol + b"\r\n\r\n" + NEXT
            said = say(gateway.listeners["public"], data, wait=1)
            assert said.startswith(b"HTTP/1.1 200"), said
            assert b"HTTP/1.1 401" in said
    assert {request.path for request in service.requests} == {"/first"}


def test_an_answer_that_comes_early_does_not_make_a_request_of_the_rest(serve: Serve) -> None:
    """The service answers before the body is there; what the caller then sends is still that body."""
    early = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    with socket.create_server(("127.0.0.1", 0)) as listener:
        seen = []

        def answer_at_once() -> None:
            connection, _ = listener.accept()
            with connection:
                seen.append(connection.recv(65_536))
                connection.sendall(early)
                connection.settimeout(2)
                try:
                    while more := connection.recv(65_536):
                        seen.append(more)
                except (TimeoutError, ConnectionError):
                    return

        thread = threading.Thread(target=answer_at_once)
        thread.start()
        gateway = serve(f"http://127.0.0.1:{listener.getsockname()[1]}")
        data = POST + b"Content-Length: 60\r\n\r\n" + b"x" * 10 + NEXT + b"y" * 60
        said = say(gateway.listeners["public"], data, wait=1)
        thread.join()
    assert said.startswith((b"HTTP/1.1 200", b"HTTP/1.1 502"))
    assert said.count(b"HTTP/1.1 200") <= 1
    assert b"".join(seen).count(b"HTTP/1.1\r\n") <= 2  # the head of the first, and the text within its body


H2 = {
    "a coding": [("transfer-encoding", "chunked")],
    "a connection": [("connection", "close")],
    "an upgrade": [("upgrade", "h2c")],
    "a length that is not the body's": [("content-length", "2")],
    "two lengths": [("content-length", "5"), ("content-length", "6")],
    "a length that is none": [("content-length", "5x")],
    "CR and LF in a value": [("x-a", "b\r\nX-Forged: 1")],
    "a request in a value": [("x-a", "b\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")],
    "NUL in a value": [("x-a", "b\0c")],
    "a colon in a name": [("x-a: b\r\nx-forged", "1")],
    "a space in a name": [("x a", "1")],
    "upper case in a name": [("X-A", "1")],
    "a method with a line": [(":method", "GET / HTTP/1.1\r\nX-Forged: 1\r\n\r\nGET")],
    "a path with a line": [(":path", "/first HTTP/1.1\r\nX-Forged: 1\r\n\r\n")],
    "a path with a space": [(":path", "/first HTTP/1.1")],
    "a path that is relative": [(":path", "first")],
    "an authority with a line": [(":authority", "a\r\nX-Forged: 1")],
    "an authority with a user": [(":authority", "b@a")],
    "another host": [("host", "b")],
}


@pytest.mark.parametrize("name", H2)
def test_nothing_in_http2_becomes_more_than_one_request(serve: Serve, name: str) -> None:
    usual = {":method": "POST", ":path": "/first", ":scheme": "http", ":authority": "a"}
    changes = H2[name]
    pseudo = [(field, dict(changes).get(field, value)) for field, value in usual.items()]
    headers = pseudo + [(field, value) for field, value in changes if field not in usual]
    with Service() as service:
        gateway = serve(service.url)
        host, _, port = gateway.listeners["public"].rpartition(":")
        unchecked = H2Configuration(
            client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False
        )
        connection = H2Connection(unchecked)
        connection.initiate_connection()
        connection.send_headers(1, headers)
        connection.send_data(1, b"hello", end_stream=True)
        with socket.create_connection((host, int(port)), timeout=5) as stream:
            stream.sendall(connection.data_to_send())
            ended: list[str] = []
            while not ended and (data := stream.recv(65_536)):
                for event in connection.receive_data(data):
                    if isinstance(event, ResponseReceived):
                        ended.append(dict(event.headers)[b":status"].decode())
                    elif isinstance(event, (StreamReset, ConnectionTerminated)):
                        ended.append("reset")
        assert ended in ([], ["400"], ["reset"]), ended
        assert httpx.get(gateway.urls["public"]).status_code == 200
    assert [request.path for request in service.requests] == ["/"]


LONG = 64 * 1024


@pytest.mark.parametrize(
    "head",
    [
        f"Content-Length: {LONG}".encode(),
        b"Transfer-Encoding: chunked",
        b"Content-Length: 5\r\nExpect: 100-continue",
    ],
)
def test_a_refusal_that_leaves_a_body_unread_says_that_the_connection_ends(serve: Serve, head: bytes) -> None:
    with Service() as service:
        gateway = serve(service.url, policies="{ id: key, kind: api_key }")
        said = say(gateway.listeners["public"], b"POST / HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 401")
    assert b"\r\nconnection: close\r\n" in said.lower()
    assert service.requests == []


def test_a_refusal_of_a_short_body_keeps_the_connection(serve: Serve) -> None:
    with Service() as service:
        gateway = serve(service.url, policies="{ id: key, kind: api_key }")
        post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
        said = say(gateway.listeners["public"], post + NEXT)
    assert said.count(b"HTTP/1.1 401") == 2
    assert b"connection: close" not in said.lower().partition(b"http/1.1 401")[2].partition(b"http/1.1")[0]
