"""What HTTP/2 says that HTTP/1.1 cannot."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from lockgate.attacks.family import Attack
from lockgate.attacks.findings import Weakness
from lockgate.attacks.wire import Answer, Exchange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.attacks.candidate import Route
    from lockgate.attacks.findings import Finding
    from lockgate.attacks.target import Target
    from lockgate.attacks.wire import Request

UNCHECKED = Weakness(
    "attack.http2.unchecked",
    "Over HTTP/2 the policies do not hold",
    "critical",
    "certain",
    "API2:2023",
    "report it as SECURITY.md says: a policy holds for every version of HTTP",
)
SMUGGLED = Weakness(
    "attack.http2.smuggled",
    "Fields of HTTP/2 become more than one request",
    "critical",
    "certain",
    "API8:2023",
    "report it as SECURITY.md says, and put nothing in front that translates HTTP/2 carelessly",
)
_SPLIT = "b\r\n\r\nGET /lockgate-smuggled HTTP/1.1\r\nHost: sandbox.test\r\n\r\n"
_FORGED = "X-Lockgate-Forged"
CHANGES: dict[str, list[tuple[str, str]]] = {
    "a request in a value": [("x-sandbox", _SPLIT)],
    "a field in a value": [("x-sandbox", f"b\r\n{_FORGED}: 1")],
    "a field in a name": [(f"x-sandbox: b\r\n{_FORGED}", "1")],
    "a field in the method": [(":method", f"GET / HTTP/1.1\r\n{_FORGED}: 1\r\nX-Rest: ")],
    "a field in the path": [(":path", f"/ HTTP/1.1\r\n{_FORGED}: 1\r\nX-Rest: ")],
    "a coding": [("transfer-encoding", "chunked")],
    "a length that is not the body's": [("content-length", "2")],
    "another host": [("host", "other.test")],
}


class Http2(Attack):
    """The same refusals as over HTTP/1.1, and fields that must not be translated."""

    name = "http2"
    about = "callers without credential over HTTP/2, line breaks in fields, codings, lengths and hosts"
    weaknesses = (UNCHECKED, SMUGGLED)

    def run(self, target: Target) -> Iterator[Finding]:
        """Ask each guarded route without credential, and attack one route with fields."""
        if target.sandbox.tls is not None:
            target.unjudged.append("http2: listeners that ask for client certificates are not attacked")
            return
        for route in target.routes:
            if route.identifies:
                yield from _unchecked(target, route)
        for route in target.routes:
            good = target.good(route) if target.baseline(route) else None
            if good is not None and not good.body:
                yield from _smuggled(target, route, good)
                return


def _unchecked(target: Target, route: Route) -> Iterator[Finding]:
    request = target.from_allowed(target.anonymous(route), route)
    if target.send(request).reached:
        return
    exchange = _ask(target, request, [])
    if exchange.reached:
        detail = "a request that is refused over HTTP/1.1 reached the service over HTTP/2"
        yield target.finding(UNCHECKED, route, detail, [("without credential", exchange)])


def _smuggled(target: Target, route: Route, good: Request) -> Iterator[Finding]:
    hits = []
    for what, changes in CHANGES.items():
        exchange = _ask(target, good, changes)
        harmful = [
            arrival
            for arrival in exchange.arrivals
            if "lockgate-smuggled" in arrival.path
            or arrival.all(_FORGED)
            or what in {"a coding", "a length that is not the body's"}
            or (
                what == "another host"
                and "other.test" in arrival.all("host") + arrival.all("x-forwarded-host")
            )
        ]
        if harmful:
            hits.append((what, exchange))
    if hits:
        detail = f"reached the service: {', '.join(what for what, _ in hits)}"
        yield target.finding(SMUGGLED, route, detail, hits)


def _ask(target: Target, request: Request, changes: list[tuple[str, str]]) -> Exchange:
    """Send a request over HTTP/2 with prior knowledge, with fields that no library would send."""
    target.sandbox.echo.taken()
    host = next((value for name, value in request.headers if name.lower() == "host"), "sandbox.test")
    usual = {":method": request.method, ":path": request.target, ":scheme": "http", ":authority": host}
    pseudo = [(name, dict(changes).get(name, value)) for name, value in usual.items()]
    fields = [(name.lower(), value) for name, value in request.fields() if name.lower() != "host"]
    fields += [(name, value) for name, value in changes if name not in usual]
    unchecked = H2Configuration(
        client_side=True,
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
        header_encoding="latin-1",
    )
    connection = H2Connection(unchecked)
    connection.initiate_connection()
    connection.send_headers(1, [*pseudo, *fields], end_stream=not request.body)
    if request.body:
        connection.send_data(1, request.body, end_stream=True)
    answer = Answer()
    with suppress(OSError, ProtocolError):
        answer = _exchange(target.sandbox.address, request.source, connection)
    target.count()
    return Exchange(request.plus(*changes), answer, target.sandbox.echo.taken())


def _exchange(address: tuple[str, int], source: str, connection: H2Connection) -> Answer:
    status, headers, body = 0, [], b""
    with socket.create_connection(address, timeout=2, source_address=(source, 0)) as stream:
        stream.sendall(connection.data_to_send())
        while data := stream.recv(65_536):
            for event in connection.receive_data(data):
                if isinstance(event, ResponseReceived):
                    said = [(str(name), str(value)) for name, value in event.headers or []]
                    status = int(dict(said)[":status"])
                    headers = [(name, value) for name, value in said if not name.startswith(":")]
                elif isinstance(event, DataReceived):
                    body += event.data or b""
                elif isinstance(event, (StreamEnded, StreamReset, ConnectionTerminated)):
                    return Answer(status, tuple(headers), body, 1)
            stream.sendall(connection.data_to_send())
    return Answer(status, tuple(headers), body, 1)
