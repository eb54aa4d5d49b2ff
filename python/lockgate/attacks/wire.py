"""Requests as bytes, so that an attack can say what no well-behaved client would."""

from __future__ import annotations

import shlex
import socket
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import ssl

MOST_BYTES = 4 * 1024 * 1024
"""The most that is read of an answer."""
ATTACKER = "127.66.6.6"
"""Where attacks come from: a loopback address that no document trusts as a proxy."""


class Signs(Protocol):
    """What signs a request as it is sent."""

    def fields(self, request: Request, /) -> list[tuple[str, str]]:
        """The fields to add."""


@dataclass(frozen=True)
class Request:
    """A request of HTTP/1.1."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    raw: bytes | None = None
    """Bytes to send in its place, as they are."""
    source: str = ATTACKER
    """The loopback address to call from."""
    certificate: bool = False
    """Whether to show the sandbox's client certificate."""
    signer: Signs | None = None
    """Who signs it when it is sent."""

    def fields(self) -> list[tuple[str, str]]:
        """Its fields as they are sent."""
        return [*self.headers, *(self.signer.fields(self) if self.signer else [])]

    def __bytes__(self) -> bytes:
        if self.raw is not None:
            return self.raw
        headers = self.fields()
        names = {name.lower() for name, _ in headers}
        if self.body and not names & {"content-length", "transfer-encoding"}:
            headers.append(("Content-Length", str(len(self.body))))
        if "connection" not in names:
            headers.append(("Connection", "close"))
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        return f"{self.method} {self.target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + self.body

    def plus(self, *headers: tuple[str, str]) -> Request:
        """The same with further fields."""
        return replace(self, headers=(*self.headers, *headers))

    def having(self, *headers: tuple[str, str]) -> Request:
        """The same with these fields in place of those of the same names."""
        names = {name.lower() for name, _ in headers}
        return self.without(*names).plus(*headers)

    def without(self, *names: str) -> Request:
        """The same without some fields."""
        unwanted = {name.lower() for name in names}
        kept = tuple((name, value) for name, value in self.headers if name.lower() not in unwanted)
        return replace(self, headers=kept)

    def at(self, target: str) -> Request:
        """The same for another path."""
        return replace(self, target=target)

    def by(self, method: str) -> Request:
        """The same with another method."""
        return replace(self, method=method)

    def query(self, *pairs: str) -> Request:
        """The same with more in its query."""
        joint = "&" if "?" in self.target else "?"
        return replace(self, target=self.target + joint + "&".join(pairs)) if pairs else self

    def curl(self) -> str | None:
        """A line of curl that sends it to `$GATEWAY`, when it can."""
        if self.raw is not None or self.signer or len(self.body) > 2_000:
            return None
        parts = ["curl", "--path-as-is", "-i", "-X", self.method]
        for name, value in self.headers:
            parts += ["-H", f"{name}: {value}" if value else f"{name};"]
        if self.body:
            parts += ["--data-binary", self.body.decode("latin-1")]
        return f'{shlex.join(parts)} "$GATEWAY"{shlex.quote(self.target)}'


@dataclass(frozen=True)
class Answer:
    """An answer; `status` is 0 when the connection was closed or nothing came in time."""

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    count: int = 0
    """How many answers came on the connection."""

    def header(self, name: str) -> str | None:
        """The first value of a field."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)

    def text(self, most: int = 600) -> str:
        """Head and the start of the body, for people."""
        if not self.status:
            return "the connection was closed without an answer"
        head = "\n".join(f"{name}: {value}" for name, value in self.headers)
        return f"HTTP/1.1 {self.status}\n{head}\n\n{self.body[:most].decode('utf-8', 'replace')}".rstrip()


@dataclass(frozen=True)
class Arrival:
    """A request as a service got it."""

    upstream: str
    line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def path(self) -> str:
        """Path and query."""
        parts = self.line.split(" ")
        return parts[1] if len(parts) > 1 else ""

    @property
    def method(self) -> str:
        """The method."""
        return self.line.split(" ")[0]

    def all(self, name: str) -> list[str]:
        """The values of a field, also under an alias with `_`."""
        wanted = name.lower().replace("_", "-")
        return [value for known, value in self.headers if known.lower().replace("_", "-") == wanted]

    def text(self, most: int = 400) -> str:
        """The request, for people."""
        head = "\n".join(f"{name}: {value}" for name, value in self.headers)
        return f"{self.line}\n{head}\n\n{self.body[:most].decode('utf-8', 'replace')}".rstrip()


@dataclass(frozen=True)
class Exchange:
    """A request, its answer, and what reached services meanwhile."""

    request: Request
    answer: Answer
    arrivals: tuple[Arrival, ...] = field(default=())

    @property
    def reached(self) -> bool:
        """Whether a service got a request."""
        return bool(self.arrivals)

    @property
    def refused(self) -> bool:
        """Whether the caller was turned away for who they are."""
        return not self.arrivals and self.answer.status in {401, 403, 404, 405}


def send(
    address: tuple[str, int], request: Request, *, tls: ssl.SSLContext | None = None, wait: float = 5.0
) -> Answer:
    """Send a request and read until the other side closes, or says nothing for `wait` seconds."""
    said = bytearray()
    try:
        with socket.create_connection(address, timeout=wait, source_address=(request.source, 0)) as plain:
            connection = tls.wrap_socket(plain, server_hostname="localhost") if tls else plain
            with connection:
                _say(connection, bytes(request))
                while len(said) < MOST_BYTES and (piece := connection.recv(65_536)):
                    said += piece
    except OSError:
        # A gateway may close as soon as it has read enough; what it said before counts.
        pass
    return parse(bytes(said))


def _say(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data)
    except OSError:
        # It answers before it has read everything, as for a body that is too large.
        return


def parse(said: bytes) -> Answer:
    """The first answer on a connection, with the number of all; interim ones (1xx) do not count."""
    count, first = 0, Answer()
    while said.startswith(b"HTTP/"):
        head, _, rest = said.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        parts = lines[0].split(" ", 2)
        status = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0
        fields = tuple(
            (name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])
        )
        bare = 100 <= status < 200 or status in {204, 304}
        body, said = (b"", rest) if bare else _body(rest, {name.lower(): value for name, value in fields})
        if not 100 <= status < 200:
            count += 1
            first = Answer(status, fields, body) if count == 1 else first
    return replace(first, count=count)


def _body(rest: bytes, fields: dict[str, str]) -> tuple[bytes, bytes]:
    """A body and what follows it."""
    if fields.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            try:
                length = int(size.split(b";")[0] or b"0", 16)
            except ValueError:
                return body, b""
            body, rest = body + rest[:length], rest[length + 2 :]
            if not length:
                break
        return body, rest
    said = fields.get("content-length", "")
    if said.isdigit():
        # The answer to HEAD has a length and no body.
        return (b"", rest) if rest.startswith(b"HTTP/") else (rest[: int(said)], rest[int(said) :])
    return rest, b""
