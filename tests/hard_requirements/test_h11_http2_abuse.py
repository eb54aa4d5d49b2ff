"""H11: HTTP/2 rapid reset, CONTINUATION flood, MadeYouReset, slow read: memory and work stay bounded."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from services import Service, answer

if TYPE_CHECKING:
    from conftest import Serve

HEADERS = [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "a")]


def connect(address: str) -> tuple[socket.socket, H2Connection]:
    host, _, port = address.rpartition(":")
    stream = socket.create_connection((host, int(port)), timeout=10)
    connection = H2Connection(H2Configuration(client_side=True))
    connection.initiate_connection()
    stream.sendall(connection.data_to_send())
    return stream, connection


def closed(stream: socket.socket) -> bool:
    """Whether the other side says goodbye within the time."""
    try:
        while stream.recv(65536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


def memory() -> int:
    """Resident bytes of this process, which the gateway runs in."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """RFC 9113 §4.1."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream_id) + payload


def test_rapid_reset_ends_the_connection_and_spares_the_service(serve: Serve) -> None:
    with Service() as service:
        gateway = serve(service.url)
        stream, connection = connect(gateway.listeners["public"])
        sent = 0
        try:
            for stream_id in range(1, 20_001, 2):
                connection.send_headers(stream_id, HEADERS, end_stream=True)
                connection.reset_stream(stream_id)
                stream.sendall(connection.data_to_send())
                sent += 1
        except OSError:
            pass
        assert closed(stream)
        stream.close()
        assert len(service.requests) < max(sent, 1_000) / 2
        assert httpx.get(gateway.urls["public"]).status_code == 200


def test_a_flood_of_continuations_ends_the_connection(serve: Serve) -> None:
    with Service() as service:
        gateway = serve(service.url)
        before = memory()
        stream, _ = connect(gateway.listeners["public"])
        # A field that never ends: literal without indexing, a name, and a value that goes on.
        piece = b"\x00\x01a\x7f\x80\x7f" + b"x" * 16_000
        refused = False
        try:
            stream.sendall(frame(1, 1, 1, b"\x82"))
            for _ in range(4_000):
                stream.sendall(frame(9, 0, 1, piece))
        except OSError:
            refused = True
        assert refused or closed(stream)
        stream.close()
        assert memory() - before < 32 * 1024 * 1024
        assert httpx.get(gateway.urls["public"]).status_code == 200


def test_made_you_reset_ends_the_connection(serve: Serve) -> None:
    """CVE-2025-8671: the caller makes the server reset streams, by frames that are wrong for them."""
    with Service() as service:
        gateway = serve(service.url)
        stream, connection = connect(gateway.listeners["public"])
        sent = 0
        try:
            for stream_id in range(1, 20_001, 2):
                connection.send_headers(stream_id, HEADERS, end_stream=True)
                # A window update of nothing is a stream error (RFC 9113 §6.9).
                stream.sendall(connection.data_to_send() + frame(8, 0, stream_id, b"\0\0\0\0"))
                sent += 1
        except OSError:
            pass
        assert closed(stream)
        stream.close()
        assert len(service.requests) < max(sent, 1_000) / 2
        assert httpx.get(gateway.urls["public"]).status_code == 200


def test_callers_that_do_not_read_are_let_go_and_hold_little(serve: Serve) -> None:
    large = answer(b"x" * 8_000_000)
    with Service(reply=lambda _: large) as service:
        gateway = serve(service.url, listener="timeouts: { write_idle: 500ms }")
        before = memory()
        held = []
        for _ in range(20):
            stream, connection = connect(gateway.listeners["public"])
            connection.send_headers(1, HEADERS, end_stream=True)
            stream.sendall(connection.data_to_send())
            held.append(stream)
            host, _, port = gateway.listeners["public"].rpartition(":")
            plain = socket.create_connection((host, int(port)), timeout=10)
            plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            held.append(plain)
        answered = httpx.get(gateway.urls["public"])
        assert len(answered.content) == 8_000_000
        assert memory() - before < 160 * 1024 * 1024
        for stream in held[1::2]:
            stream.settimeout(10)
        # What was sent can be read; then the connection is at its end, long before the 8 MB.
        time.sleep(1.0)
        for stream in held[1::2]:
            got = 0
            try:
                while piece := stream.recv(1 << 20):
                    got += len(piece)
            except ConnectionError:
                pass
            assert got < 8_000_000
        for stream in held:
            stream.close()


def flood(stream: socket.socket, data: bytes, times: int) -> None:
    """Send without reading, until the other side takes nothing more or all is sent."""
    stream.settimeout(2)
    try:
        for _ in range(times):
            stream.sendall(data)
    except OSError:
        return


FLOODS = {
    "settings": frame(4, 0, 0, struct.pack(">HI", 4, 65_535)) * 100,
    "empty settings": frame(4, 0, 0) * 100,
    "pings": frame(6, 0, 0, b"12345678") * 100,
    "priorities": frame(2, 0, 1, struct.pack(">IB", 0, 1)) * 100,
    "window updates": frame(8, 0, 0, struct.pack(">I", 1)) * 100,
    "unknown frames": frame(0xAA, 0, 0, b"x" * 1_000) * 20,
    "resets of streams that are not there": b"".join(
        frame(3, 0, stream_id, b"\0\0\0\0") for stream_id in range(1, 200, 2)
    ),
    "empty continuations": frame(9, 0, 1) * 100,
    "data on no stream": frame(0, 0, 1, b"x" * 1_000) * 20,
    "a frame past its bound": struct.pack(">I", 0xFFFFFF)[1:] + b"\0\0\0\0\0\1" + b"x" * 20_000,
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_frames_costs_little_memory_and_others_are_served(serve: Serve, name: str) -> None:
    with Service() as service:
        gateway = serve(service.url)
        assert httpx.get(gateway.urls["public"]).status_code == 200
        before = memory()
        held = [connect(gateway.listeners["public"])[0] for _ in range(4)]
        for stream in held:
            flood(stream, FLOODS[name], 200)
        assert httpx.get(gateway.urls["public"]).status_code == 200
        assert memory() - before < 32 * 1024 * 1024
        for stream in held:
            stream.close()
    assert len(service.requests) == 2


def test_a_small_head_does_not_unpack_to_a_large_one(serve: Serve) -> None:
    """Each byte of an HPACK index may stand for kilobytes (RFC 7541 §7.3)."""
    name, value = b"x-a", b"v" * 4_000
    # Literal with incremental indexing: what was named once is then one byte.
    first = b"\x40\x03" + name + b"\x7f\xa1\x1e" + value
    bomb = b"\x82\x86\x84\x41\x01a" + first + b"\xbe" * 16_000
    with Service() as service:
        gateway = serve(service.url)
        before = memory()
        for _ in range(4):
            stream, _ = connect(gateway.listeners["public"])
            pieces = [bomb[at : at + 16_000] for at in range(0, len(bomb), 16_000)]
            stream.sendall(frame(1, 1, 1, pieces[0]))
            for piece in pieces[1:-1]:
                stream.sendall(frame(9, 0, 1, piece))
            stream.sendall(frame(9, 4, 1, pieces[-1]))
            stream.settimeout(2)
            # It refuses the head, the stream or the connection.
            with contextlib.suppress(ConnectionError):
                assert stream.recv(65_536)
            stream.close()
        assert memory() - before < 32 * 1024 * 1024
        assert service.requests == []
        assert httpx.get(gateway.urls["public"]).status_code == 200


def test_streams_beyond_the_bound_are_refused_while_others_wait(serve: Serve) -> None:
    with Service(reply=lambda _: None) as service:
        gateway = serve(service.url, listener="http2: { max_streams: 10 }")
        stream, connection = connect(gateway.listeners["public"])
        open_heads = b""
        for stream_id in range(1, 201, 2):
            # Heads whose bodies never come.
            open_heads += frame(1, 4, stream_id, b"\x83\x86\x84\x41\x01a")
        stream.sendall(open_heads)
        stream.settimeout(3)
        refused = 0
        try:
            while data := stream.recv(65_536):
                at = 0
                while at + 9 <= len(data):
                    length = int.from_bytes(data[at : at + 3], "big")
                    refused += data[at + 3] in (3, 7)
                    at += 9 + length
        except (TimeoutError, ConnectionError):
            pass
        stream.close()
        assert refused > 0
        del connection
    assert len(service.requests) <= 10


def test_a_caller_that_sends_its_body_byte_by_byte_is_let_go(serve: Serve) -> None:
    with Service() as service:
        gateway = serve(service.url, listener="timeouts: { head: 500ms, body_idle: 500ms }")
        host, _, port = gateway.listeners["public"].rpartition(":")
        for start in (
            b"GET / HTTP/1.1\r\nHost: ",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab",
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        ):
            with socket.create_connection((host, int(port)), timeout=10) as stream:
                stream.sendall(start)
                assert closed(stream)
        assert httpx.get(gateway.urls["public"]).status_code == 200
