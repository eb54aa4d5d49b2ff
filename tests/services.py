"""Services to put a gateway in front of, and a caller that says exactly the bytes it is told to say."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable


@dataclass(frozen=True)
class Request:
    """A request as a service got it."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int
    """The number of the connection it came by, from 0."""

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known.lower() == name.lower()]


def answer(body: bytes | str = b"ok", status: str = "200 OK", **headers: str) -> bytes:
    """An answer in bytes."""
    data = body.encode() if isinstance(body, str) else body
    fields = {"Content-Length": str(len(data)), **{name.replace("_", "-"): v for name, v in headers.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + data


@dataclass
class Service:
    """Answers each request with the bytes that `reply` gives; `None` closes the connection instead.

    It closes after an answer that says `Connection: close`, however much of it was there.
    """

    reply: Callable[[Request], bytes | None] = lambda _: answer()
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    """The port it takes; any that is free by default."""

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Take no more connections, and close those there are."""
        if self._listener.fileno() == -1:
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection, len(self._open) - 1), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            plain = self.tls.wrap_socket(connection, server_side=True) if self.tls else connection
            with plain, plain.makefile("rb") as reader:
                while line := reader.readline().decode("latin-1").rstrip("\r\n"):
                    headers = []
                    while text := reader.readline().decode("latin-1").rstrip("\r\n"):
                        name, _, value = text.partition(":")
                        headers.append((name, value.strip()))
                    body = self._body(reader.readline, reader.read, headers)
                    request = Request(line, headers, body, number)
                    self.requests.append(request)
                    reply = self.reply(request)
                    if reply is None:
                        return
                    plain.sendall(reply)
                    if b"\r\nConnection: close\r\n" in reply.partition(b"\r\n\r\n")[0] + b"\r\n":
                        return
        except (OSError, ValueError):  # the caller broke off, possibly within a chunk
            return

    @staticmethod
    def _body(
        readline: Callable[[], bytes], read: Callable[[int], bytes], headers: list[tuple[str, str]]
    ) -> bytes:
        fields = {name.lower(): value for name, value in headers}
        if fields.get("transfer-encoding") != "chunked":
            return read(int(fields.get("content-length", "0")))
        body = b""
        while size := int(readline(), 16):
            body += read(size)
            readline()
        while readline().strip():
            pass
        return body


def say(address: str, data: bytes, *, wait: float = 5.0) -> bytes:
    """Send bytes and read until the other side closes, or says nothing for `wait` seconds."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=wait) as connection:
        connection.sendall(data)
        said = b""
        try:
            while piece := connection.recv(65536):
                said += piece
        except (TimeoutError, ConnectionResetError):
            pass
    return said
