"""Messages of which nobody can say where they end (request smuggling)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lockgate.attacks.family import Attack
from lockgate.attacks.findings import Weakness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.attacks.findings import Finding
    from lockgate.attacks.target import Target
    from lockgate.attacks.wire import Exchange, Request

SMUGGLED = Weakness(
    "attack.framing.smuggled",
    "A request is smuggled past the policies",
    "critical",
    "certain",
    "API8:2023",
    "report it as SECURITY.md says, and put nothing in front of the gateway that repairs broken messages",
)
AMBIGUOUS = Weakness(
    "attack.framing.ambiguous",
    "A message with two readings is forwarded",
    "high",
    "certain",
    "API8:2023",
    "report it as SECURITY.md says, and put nothing in front of the gateway that repairs broken messages",
)
_CHUNKED = "Transfer-Encoding: chunked\r\n"
_NEXT = "GET /lockgate-smuggled HTTP/1.1\r\nHost: sandbox.test\r\n\r\n"
_WAIT = 0.6
"""How long to wait for what a service may get late."""


class Framing(Attack):
    """Heads and bodies with two readings, on one connection with a request behind them."""

    name = "framing"
    about = "CL.TE, TE.CL, TE.TE, two lengths, bare LF, folded fields, two hosts, bad chunks"
    weaknesses = (SMUGGLED, AMBIGUOUS)

    def run(self, target: Target) -> Iterator[Finding]:
        """Attack one route that takes a body, or else any; framing is the same for all."""
        routes = sorted(target.routes, key=lambda route: route.body_method is None)
        for route in routes:
            method = route.body_method or route.method
            good = target.good(route, method)
            baseline = target.baseline(route, method) if good else None
            if good is None or baseline is None or good.certificate:
                continue
            smuggled: list[tuple[str, Exchange]] = []
            ambiguous: list[tuple[str, Exchange]] = []
            for what, raw in _messages(good).items():
                exchange = target.send(replace(good, raw=raw), wait=_WAIT)
                paths = [arrival.path for arrival in exchange.arrivals]
                if any("lockgate-smuggled" in path for path in paths):
                    smuggled.append((what, exchange))
                elif paths:
                    ambiguous.append((what, exchange))
            for weakness, hits in ((SMUGGLED, smuggled), (AMBIGUOUS, ambiguous)):
                if hits:
                    names = ", ".join(what for what, _ in hits)
                    yield target.finding(weakness, route, f"reached the service: {names}", hits)
            return


def _messages(good: Request) -> dict[str, bytes]:
    """Messages that RFC 9112 §6.3 and §2.2 tell a gateway to refuse."""
    line = f"{good.method} {good.target} HTTP/1.1\r\n"
    fields = "".join(f"{name}: {value}\r\n" for name, value in good.headers if name.lower() != "connection")
    head = line + fields
    empty = "0\r\n\r\n"
    chunk = f"{len(_NEXT):x}\r\n{_NEXT}\r\n{empty}"
    sized = "Content-Length: 5\r\n"
    messages = {
        "a length and chunks": f"{head}Content-Length: {len(empty)}\r\n{_CHUNKED}\r\n{empty}{_NEXT}",
        "chunks and a length": f"{head}{_CHUNKED}Content-Length: 4\r\n\r\n{chunk}",
        "two codings": f"{head}{_CHUNKED}Transfer-Encoding: identity\r\n\r\n{empty}{_NEXT}",
        "a coding that is none": f"{head}Transfer-Encoding: xchunked\r\n{sized}\r\n{empty}{_NEXT}",
        "a space before the colon": f"{head}Transfer-Encoding : chunked\r\n\r\n{empty}{_NEXT}",
        "two lengths": f"{head}Content-Length: 0\r\nContent-Length: {len(_NEXT)}\r\n\r\n{_NEXT}",
        "a list of lengths": f"{head}Content-Length: 0, 0\r\n\r\n{_NEXT}",
        "a signed length": f"{head}Content-Length: +0\r\n\r\n{_NEXT}",
        "bare LF": head.replace("\r\n", "\n") + "Content-Length: 0\n\n" + _NEXT.replace("\r\n", "\n"),
        "bare LF within a field": f"{head}X-Sandbox: a\nContent-Length: 0\r\n\r\n{_NEXT}",
        "a folded field": f"{head}X-Sandbox: a\r\n Content-Length: 0\r\n\r\n{_NEXT}",
        "two hosts": f"{head}Host: other.test\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        "CR within a field": f"{head}X-Sandbox: a\rContent-Length: 9\r\n\r\n{_NEXT}",
        "a name with a space": f"{head}X Sandbox: a\r\nContent-Length: 0\r\n\r\n{_NEXT}",
        "HTTP/1.0 with chunks": head.replace("HTTP/1.1", "HTTP/1.0") + f"{_CHUNKED}\r\n{empty}{_NEXT}",
        "a chunk with bare LF": f"{head}{_CHUNKED}\r\n0\n\n{_NEXT}",
        "a chunk size with a prefix": f"{head}{_CHUNKED}\r\n0x0\r\n\r\n{_NEXT}",
        "a chunk size past all numbers": f"{head}{_CHUNKED}\r\nFFFFFFFFFFFFFFFFF\r\n{_NEXT}",
    }
    return {what: text.encode("latin-1") for what, text in messages.items()}
