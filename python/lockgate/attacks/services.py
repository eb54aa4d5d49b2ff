"""What stands in the sandbox in place of services and of token issuers. They listen on loopback only."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, BinaryIO, Self
from urllib.parse import parse_qs

from lockgate.attacks.wire import Arrival

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_BODY = 64 * 1024 * 1024
"""The most that a service reads of one body."""
MOST_HEAD = 1024 * 1024
MOST_KEPT = 4_096
"""How much of a body is kept as evidence."""
BANNER = "Apache/2.4.1 (Unix) PHP/5.6.40"
"""What the services call themselves; a gateway should not pass it on."""
TRACE = "Traceback (most recent call last):"


class Echo:
    """Answers like careless services would, each on a port of its own, and keeps what arrived."""

    def __init__(self, names: list[str]) -> None:
        self._arrivals: list[Arrival] = []
        self._lock = threading.Lock()
        self._listeners = {name: socket.create_server(("127.0.0.1", 0)) for name in names}
        self._open: list[socket.socket] = []
        self._count = 0

    def __enter__(self) -> Self:
        for name, listener in self._listeners.items():
            threading.Thread(target=self._accept, args=(name, listener), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for listener in self._listeners.values():
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            connections, self._open = self._open, []
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def url(self, name: str) -> str:
        """Where the service of an upstream listens."""
        return f"http://127.0.0.1:{self._listeners[name].getsockname()[1]}"

    def taken(self) -> tuple[Arrival, ...]:
        """What has arrived since the last question."""
        with self._lock:
            arrivals, self._arrivals = self._arrivals, []
        return tuple(arrivals)

    def _accept(self, name: str, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.append(connection)
            threading.Thread(target=self._serve, args=(name, connection), daemon=True).start()

    def _serve(self, name: str, connection: socket.socket) -> None:
        # The gateway breaks off what it refuses halfway; what arrived whole has been kept.
        with suppress(OSError, ValueError), connection, connection.makefile("rb") as reader:
            while line := reader.readline(MOST_HEAD).decode("latin-1").rstrip("\r\n"):
                headers: list[tuple[str, str]] = []
                while text := reader.readline(MOST_HEAD).decode("latin-1").rstrip("\r\n"):
                    field, _, value = text.partition(":")
                    headers.append((field, value.strip()))
                fields = {field.lower(): value for field, value in headers}
                body = _read_body(reader, fields)
                arrival = Arrival(name, line, tuple(headers), body)
                with self._lock:
                    self._arrivals.append(arrival)
                    self._count += 1
                    count = self._count
                connection.sendall(_answer(arrival, count))
                if fields.get("connection") == "close":
                    return


def _read_body(reader: BinaryIO, fields: dict[str, str]) -> bytes:
    """The start of a body, all of which is read."""
    kept = b""
    if fields.get("transfer-encoding", "").lower() != "chunked":
        rest = min(int(fields.get("content-length", "0")), MOST_BODY)
        while rest and (piece := reader.read(min(rest, 65_536))):
            kept, rest = (kept + piece)[:MOST_KEPT], rest - len(piece)
        return kept
    while size := int(reader.readline(1_024).split(b";")[0], 16):
        if size > MOST_BODY:
            message = "a chunk is too large"
            raise ValueError(message)
        kept = (kept + reader.read(size))[:MOST_KEPT]
        reader.readline(16)
    while reader.readline(MOST_HEAD).strip():
        pass
    return kept


def _answer(arrival: Arrival, count: int) -> bytes:
    """An answer that is new each time, and repeats the host that it believes in, as pages with links do."""
    believed = (arrival.all("x-forwarded-host") or arrival.all("host") or [""])[0]
    also = [*arrival.all("x-host"), *arrival.all("x-forwarded-server"), *arrival.all("x-original-host")]
    status, said = "200 OK", {"number": count, "self": f"http://{(also or [believed])[0]}/"}
    if "sandbox-error" in arrival.path:
        status = "500 Internal Server Error"
        body = (
            f'{TRACE}\n  File "/srv/app/orders.py", line 41, in show\n    rows = db.execute(query)\n'.encode()
        )
    else:
        body = json.dumps(said).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"Server: {BANNER}\r\nX-Powered-By: PHP/5.6.40\r\n\r\n"
    )
    return head.encode("latin-1") + (b"" if arrival.method == "HEAD" else body)


class Issuer:
    """A token issuer: keys at `/jwks`, introspection at `/introspect`. `down` makes it fail."""

    def __init__(self, keys: Callable[[], list[dict[str, Any]]], *, down: bool = False) -> None:
        self.tokens: dict[str, dict[str, Any]] = {}
        """Active tokens with what introspection says of them."""
        self.asked: list[str] = []
        """The paths that were asked for."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._say({"keys": keys()})

            def do_POST(self) -> None:
                length = min(int(self.headers.get("content-length", "0")), 65_536)
                token = parse_qs(self.rfile.read(length).decode("latin-1")).get("token", [""])[0]
                self._say(issuer.tokens.get(token, {"active": False}))

            def _say(self, what: dict[str, Any]) -> None:
                issuer.asked.append(self.path)
                body = json.dumps(what).encode()
                self.send_response(500 if down else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
