"""Gateways whose fault is not in the document: something careless stands before a sound node."""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
from contextlib import suppress
from functools import partial
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
    """Passes on one request and its answer for each connection, changed as subclasses say."""

    def __init__(self, sandbox: Sandbox, to: tuple[str, int]) -> None:
        self.sandbox = sandbox
        self.to = to
        self.busy = 0
        self._counting = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address: tuple[str, int] = self._listener.getsockname()

    def request(self, data: bytes) -> bytes:
        """The request as it is passed on."""
        return data

    def answer(self, _: bytes, answer: bytes) -> bytes:
        """The answer as it is passed back."""
        return answer

    def source(self) -> str:
        """Where requests are passed on from."""
        return "127.0.0.1"

    def key(self) -> bytes:
        """The field with the key of an application that may do everything."""
        return f"X-Api-Key: {self.sandbox.applications.entitled[None][0].key}\r\n".encode()

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
            self._count(1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.settimeout(5)
            answer = b""
            try:
                data = connection.recv(65_536)
                if data.startswith(b"PRI * HTTP/2.0"):
                    data = downgraded(connection, data)
                answer = self.answer(data, self._ask(self.request(data)))
            finally:
                # Before the caller has its answer: who sends one request after the other finds nobody here.
                self._count(-1)
            connection.sendall(answer)

    def _count(self, more: int) -> None:
        with self._counting:
            self.busy += more

    def _ask(self, data: bytes) -> bytes:
        to, said = self.to, b""
        if data.startswith(b"ADMIN "):
            to, data = self.sandbox.admin, data.removeprefix(b"ADMIN ")
        with socket.create_connection(to, timeout=0.5, source_address=(self.source(), 0)) as node:
            node.sendall(data)
            with suppress(TimeoutError):
                while piece := node.recv(65_536):
                    said += piece
        return said


def downgraded(connection: socket.socket, data: bytes) -> bytes:
    """HTTP/2 as HTTP/1.1, with whatever stands in its fields."""
    h2 = H2Connection(H2Configuration(client_side=False, validate_inbound_headers=False))
    h2.initiate_connection()
    headers: list[tuple[str, str]] = []
    ended = False
    while not ended and data:
        with suppress(ProtocolError):
            for event in h2.receive_data(data):
                if isinstance(event, RequestReceived):
                    headers = [(text(name), text(value)) for name, value in event.headers or []]
                ended = ended or isinstance(event, StreamEnded)
        connection.sendall(h2.data_to_send())
        data = b"" if ended else connection.recv(65_536)
    pseudo = {name: value for name, value in headers if name.startswith(":")}
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers if not name.startswith(":"))
    head = f"{pseudo[':method']} {pseudo[':path']} HTTP/1.1\r\nHost: {pseudo[':authority']}\r\n"
    return f"{head}{fields}Via: 2 careless\r\nConnection: close\r\n\r\n".encode("latin-1")


def text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


class RepairsMessages(CarelessProxy):
    """Makes good lines of bad ones, and takes the first of two lengths."""

    def request(self, data: bytes) -> bytes:
        data = re.sub(rb"(?<!\r)\n", b"\r\n", data)
        data = re.sub(rb"\r\n[ \t]+", b" ", data)
        twice = rb"(?is)(\r\ncontent-length:[^\r]*)(.*?)\r\ncontent-length:[^\r]*"
        data = re.sub(twice, rb"\1\2", data, count=1)
        if b"chunked" in data.lower():
            data = re.sub(rb"(?i)\r\ncontent-length:[^\r]*", b"", data)
        return data


class TrustsTokens(CarelessProxy):
    """Signs anew whatever looks like a token, whoever signed it."""

    def request(self, data: bytes) -> bytes:
        found = re.search(rb"Bearer (eyJ[\w-]+)\.([\w-]+)\.?[\w-]*", data)
        if not found:
            return data
        key = next(iter(self.sandbox.keys.values()))
        token = key.token(json.loads(decode(found[2].decode())))
        return data.replace(found[0], f"Bearer {token}".encode())


class HasPassword(CarelessProxy):
    """Lets the first password in that people try."""

    def request(self, data: bytes) -> bytes:
        password = b"Authorization: Basic " + base64.b64encode(b"admin:admin") + b"\r\n"
        return data.replace(password, self.key())


class TrustsHttp2(CarelessProxy):
    """Takes whoever speaks HTTP/2 for a colleague."""

    def request(self, data: bytes) -> bytes:
        return data.replace(b"Via: 2 careless\r\n", self.key())


class TidiesPaths(CarelessProxy):
    """Looks for guarded paths as they are spelled, and tidies them afterwards."""

    def request(self, data: bytes) -> bytes:
        line, rest = data.split(b"\r\n", 1)
        tidied = line.replace(b" //", b" /", 1)
        return tidied + b"\r\n" + (self.key() if tidied != line else b"") + rest


class ManyAddresses(CarelessProxy):
    """Passes on from another address whenever it is busy."""

    def source(self) -> str:
        return f"127.1.1.{self.busy}" if self.busy > 1 else "127.0.0.1"


class ReflectsOrigins(CarelessProxy):
    """Tells the pages of every origin that they may read all."""

    def answer(self, request: bytes, answer: bytes) -> bytes:
        found = re.search(rb"\r\nOrigin: ([^\r]*)", request)
        line, _, rest = answer.partition(b"\r\n")
        rest = re.sub(rb"(?i)access-control-allow-[^\r]*\r\n", b"", rest)
        if not found:
            return answer
        allow = (
            b"Access-Control-Allow-Origin: " + found[1] + b"\r\nAccess-Control-Allow-Credentials: true\r\n"
        )
        return line + b"\r\n" + allow + rest


class TellsAll(CarelessProxy):
    """Adds to errors what went wrong, and where."""

    def answer(self, _: bytes, answer: bytes) -> bytes:
        if not re.match(rb"HTTP/1.1 4", answer):
            return answer
        body = b"Traceback (most recent call last): upstream 127.0.0.1:9001\n"
        head = b"HTTP/1.1 400 Bad Request\r\nContent-Length: " + str(len(body)).encode()
        return head + b"\r\nConnection: close\r\n\r\n" + body


class ShowsAdmin(CarelessProxy):
    """Passes metrics and statistics on to whoever asks."""

    def request(self, data: bytes) -> bytes:
        if data.split(b" ", 2)[1] in {b"/metrics", b"/stats.json"}:
            return b"ADMIN " + re.sub(rb"\r\nHost: [^\r]*", b"\r\nHost: 127.0.0.1", data)
        return data


class AnswersPages(CarelessProxy):
    """Stands before the admin listener, and makes a call of a program out of that of a page."""

    def request(self, data: bytes) -> bytes:
        data = re.sub(rb"\r\nOrigin: [^\r]*", b"", data)
        return re.sub(rb"\r\nHost: [^\r]*", b"\r\nHost: 127.0.0.1", data)


class CarriesFields(CarelessProxy):
    """Carries fields around the gateway: hidden before it, and shown again before the service."""

    hidden = (b"X-Original-URL", b"X-Host")

    def request(self, data: bytes) -> bytes:
        for name in self.hidden:
            data = data.replace(b"\r\n" + name + b":", b"\r\nX-Hidden-" + name + b":")
        return re.sub(rb"\r\nConnection: close, ([^\r]*)", rb"\r\nConnection: close\r\nX-Named: \1", data)


class BeforeService(CarelessProxy):
    """The half of `CarriesFields` that stands before a service."""

    def request(self, data: bytes) -> bytes:
        data = re.sub(rb"(?i)\r\nx-hidden-", b"\r\n", data)
        if named := re.search(rb"(?i)\r\nx-named: ([^\r]*)", data):
            data = re.sub(rb"(?i)\r\n" + re.escape(named[1]) + rb": [^\r]*", b"", data)
        return data.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)


FAULTS: dict[str, type[CarelessProxy]] = {fault.__name__: fault for fault in CarelessProxy.__subclasses__()}


class Faulty(Sandbox):
    """A sandbox that callers reach through a careless proxy."""

    def __init__(self, fault: type[CarelessProxy], candidate: Candidate, **options: bool) -> None:
        super().__init__(candidate, **options)
        self._fault = fault

    def _rewritten(self) -> dict[str, Any]:
        document = super()._rewritten()
        if self._fault is CarriesFields:
            for upstream in document["upstreams"].values():
                host, _, port = upstream["targets"][0].removeprefix("http://").partition(":")
                behind = self._end.enter_context(BeforeService(self, (host, int(port))))
                upstream["targets"] = [f"http://127.0.0.1:{behind.address[1]}"]
        return document

    def _start(self) -> None:
        super()._start()
        if self._fault is AnswersPages:
            self.admin = self._end.enter_context(self._fault(self, self.admin)).address
            return
        proxy = self._end.enter_context(self._fault(self, self.address))
        self.listeners = dict.fromkeys(self.listeners, proxy.address)


def faulty(name: str) -> Callable[..., Sandbox]:
    """What starts a candidate behind the careless proxy of a name."""
    return partial(Faulty, FAULTS[name])
