"""Gateways whose fault is not in the document: something careless stands before a sound node."""

from __future__ import annotations

import json
import re
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, StreamEnded
from h2.exceptions import ProtocolError
from lockgate.attacks.keys import decode
from lockgate.attacks.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockgate.attacks.candidate import Candidate

class CarelessProxy:
    """Passes on what it gets after it has changed it; one request and its answer for each connection."""

    def __init__(self, sandbox: Sandbox, change: Callable[[bytes, CarelessProxy], bytes]) -> None:
        self.sandbox = sandbox
        self.node = sandbox.address
        self._change = change
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.settimeout(5)
            data = connection.recv(65_536)
            if data.startswith(b"PRI * HTTP/2.0"):
                data = self._downgraded(connection, data)
            to = self.node
            data = self._change(data, self)
            if data.startswith(b"ADMIN "):
                to, data = self.sandbox.admin, data.removeprefix(b"ADMIN ")
            with socket.create_connection(to, timeout=5) as node:
                node.sendall(data)
                node.settimeout(0.4)
                with suppress(TimeoutError):
                    while piece := node.recv(65_536):
                        connection.sendall(piece)

    @staticmethod
    def _downgraded(connection: socket.socket, data: bytes) -> bytes:
        """HTTP/2 as HTTP/1.1, with whatever stands in its fields."""
        h2 = H2Connection(H2Configuration(client_side=False, validate_inbound_headers=False))
        h2.initiate_connection()
        headers: list[tuple[str, str]] = []
        ended = False
        while not ended and data:
            with suppress(ProtocolError):
                for event in h2.receive_data(data):
                    if isinstance(event, RequestReceived):
                        headers = [(_text(name), _text(value)) for name, value in event.headers or []]
                    ended = ended or isinstance(event, StreamEnded)
            connection.sendall(h2.data_to_send())
            data = b"" if ended else connection.recv(65_536)
        pseudo = {name: value for name, value in headers if name.startswith(":")}
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers if not name.startswith(":"))
        head = f"{pseudo[':method']} {pseudo[':path']} HTTP/1.1\r\nHost: {pseudo[':authority']}\r\n"
        return f"{head}{fields}Connection: close\r\n\r\n".encode("latin-1")


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def repairs_messages(data: bytes, _: CarelessProxy) -> bytes:
    """Makes good lines of bad ones, and takes the first of two lengths."""
    data = re.sub(rb"(?<!\r)\n", b"\r\n", data)
    data = re.sub(rb"\r\n[ \t]+", b" ", data)
    if data.lower().count(b"content-length:") > 1:
        data = re.sub(rb"(?i)(\r\ncontent-length:[^\r]*)(.*?)\r\ncontent-length:[^\r]*", rb"\1\2", data, count=1)
    if b"chunked" in data.lower():
        data = re.sub(rb"(?i)\r\ncontent-length:[^\r]*", b"", data)
    return data


def shows_admin(data: bytes, _: CarelessProxy) -> bytes:
    """Passes metrics and statistics on to whoever asks."""
    path = data.split(b" ", 2)[1]
    if path in {b"/metrics", b"/stats.json"}:
        return b"ADMIN " + re.sub(rb"\r\nHost: [^\r]*", b"\r\nHost: 127.0.0.1", data)
    return data


def trusts_tokens(data: bytes, proxy: CarelessProxy) -> bytes:
    """Signs anew whatever looks like a token, whoever signed it."""
    found = re.search(rb"Bearer (eyJ[\w-]+)\.([\w-]+)\.?[\w-]*", data)
    if not found:
        return data
    key = next(iter(proxy.sandbox.keys.values()))
    claims: dict[str, Any] = json.loads(decode(found[2].decode()))
    return data.replace(found[0], f"Bearer {key.token(claims)}".encode())


FAULTS: dict[str, Callable[[bytes, CarelessProxy], bytes]] = {
    change.__name__: change for change in (repairs_messages, shows_admin, trusts_tokens)
}


class Faulty(Sandbox):
    """A sandbox that callers reach through a careless proxy."""

    change: Callable[[bytes, CarelessProxy], bytes]

    def _start(self) -> None:
        super()._start()
        proxy = self._end.enter_context(CarelessProxy(self, self.change))
        self.listeners = dict.fromkeys(self.listeners, proxy.address)


def faulty(name: str) -> Callable[..., Sandbox]:
    """What starts a candidate behind the careless proxy of a name."""

    def start(candidate: Candidate, **options: bool) -> Sandbox:
        sandbox = Faulty(candidate, **options)
        sandbox.change = FAULTS[name]
        return sandbox

    return start
