"""What attacks work with: the candidate in its sandbox, requests that should pass, and findings."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from lockgate.attacks.credentials import PROXY, allowed_address
from lockgate.attacks.findings import Evidence, Finding, Place
from lockgate.attacks.openapi import Operation
from lockgate.attacks.wire import ATTACKER, Exchange, Request, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lockgate.attacks.candidate import Candidate, Policy, Route
    from lockgate.attacks.credentials import Application
    from lockgate.attacks.findings import Certainty, Severity, Weakness
    from lockgate.attacks.sandbox import Sandbox

_SIGNATURE = re.compile(r"(eyJ[\w-]+\.[\w-]*\.)[\w-]{8,}")
MOST_ROUTES = 60
"""How many routes are attacked; of those with the same policies a few stand for all."""
_ALIKE = 4


class OutOfTimeError(Exception):
    """The time for all attacks is used up."""


class Target:
    """A candidate in a sandbox, with its deadline."""

    def __init__(
        self,
        candidate: Candidate,
        sandbox: Sandbox,
        deadline: float,
        variant: Callable[..., Sandbox],
        on_request: Callable[[], None],
    ) -> None:
        self.candidate = candidate
        self.sandbox = sandbox
        self.sent = 0
        self.unjudged: list[str] = []
        self._deadline = deadline
        self._variant = variant
        self._on_request = on_request
        self._baselines: dict[str, Exchange | None] = {}
        self.routes = _chosen(candidate, self.unjudged)

    def variant(self, *, limits: bool = False, issuers: bool = True, caches: bool = False) -> Sandbox:
        """Another sandbox of the same candidate, to be used in a `with` block."""
        self._check_time()
        return self._variant(limits=limits, issuers=issuers, caches=caches)

    def in_sandbox(self, sandbox: Sandbox) -> Target:
        """The same candidate in another sandbox; what is sent there counts here."""
        return Target(self.candidate, sandbox, self._deadline, self._variant, self.count)

    def count(self) -> None:
        """Take note of a request."""
        self.sent += 1
        self._on_request()

    def _check_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise OutOfTimeError

    def send(self, request: Request, *, wait: float = 5.0, listener: str | None = None) -> Exchange:
        """Send a request; with what reached services until its answer."""
        self._check_time()
        self.sandbox.echo.taken()
        address = self.sandbox.listeners[listener] if listener else self.sandbox.address
        tls = self.sandbox.tls_with_certificate if request.certificate else self.sandbox.tls
        answer = send(address, request, tls=tls, wait=wait)
        self.count()
        return Exchange(request, answer, self.sandbox.echo.taken())

    def operation(self, route: Route, method: str) -> Operation | None:
        """What the OpenAPI document of a route's version says of it."""
        description = self.candidate.descriptions.get((route.api, route.version))
        return Operation.find(description, route, method, self._base(route)) if description else None

    def _base(self, route: Route) -> str:
        base: str = self.candidate.document["apis"][route.api]["versions"][route.version]["base"]
        prefix = next((policy.declared.get("prefix") for policy in route.of("schema")), None)
        return (prefix or base).rstrip("/")

    def anonymous(self, route: Route, method: str | None = None) -> Request:
        """A request as the route wants it, but without credential, from an address that no policy knows."""
        method = method or route.method
        operation = self.operation(route, method)
        path = operation.path(route) if operation else route.sample_path()
        headers = [("Host", route.host)]
        headers += [(name, value or "1") for name, value in route.headers]
        request = Request(method, path, tuple(headers))
        if operation:
            request = request.query(*operation.query).plus(*operation.headers)
        if method in {"POST", "PUT", "PATCH"}:
            body, media = operation.body() if operation else (b"{}", "application/json")
            request = replace(request, body=body).plus(("Content-Type", media)) if media else request
        return request

    def from_allowed(self, request: Request, route: Route) -> Request:
        """The request from an address that the route's filters let pass."""
        address = allowed_address(route)
        if address is None:
            return request
        return replace(request, source=PROXY).plus(("X-Forwarded-For", address))

    def good(
        self, route: Route, method: str | None = None, *, app: Application | None = None
    ) -> Request | None:
        """A request that should pass; `None` when the sandbox can make no credential that the route takes."""
        app = app or self.sandbox.applications.for_route(route)
        request = self.from_allowed(self.anonymous(route, method), route)
        return self.sandbox.issuance.give(request, route, app)

    def baseline(self, route: Route, method: str | None = None) -> Exchange | None:
        """A good request that reached the service; `None`, and a note, when none does."""
        key = f"{route.name} {method or route.method}"
        if key not in self._baselines:
            self._baselines[key] = self._try_baseline(route, method, key)
        return self._baselines[key]

    def _try_baseline(self, route: Route, method: str | None, key: str) -> Exchange | None:
        good = self.good(route, method)
        if good is None:
            self.unjudged.append(f"{key}: the sandbox cannot make a credential for it")
            return None
        exchange = self.send(good)
        if exchange.reached:
            return exchange
        said = re.search(rb'"code": ?"([\w.]+)"', exchange.answer.body)
        why = said[1].decode() if said else "no answer"
        self.unjudged.append(f"{key}: a request that should pass got {exchange.answer.status} ({why})")
        return None

    def finding(
        self,
        weakness: Weakness,
        route: Route | None,
        detail: str,
        exchanges: Iterable[tuple[str, Exchange]],
        *,
        policy: Policy | None = None,
        severity: Severity | None = None,
        certainty: Certainty | None = None,
        remedy: str | None = None,
        place: Place | None = None,
    ) -> Finding:
        """A finding on a route, or on the whole gateway."""
        own = policy.place if policy else route.place if route else None
        return Finding(
            code=weakness.code,
            title=weakness.title,
            severity=severity or weakness.severity,
            certainty=certainty or weakness.certainty,
            owasp=weakness.owasp,
            api=route.api if route else None,
            version=route.version if route else None,
            route=route.id if route else None,
            path=route.path if route else None,
            place=place or own or Place(file=self.candidate.file, line=1),
            policy=policy.id if policy else None,
            detail=detail,
            evidence=[self._evidence(what, exchange) for what, exchange in list(exchanges)[:6]],
            remedy=remedy or weakness.remedy,
        )

    def _evidence(self, what: str, exchange: Exchange) -> Evidence:
        request = exchange.request
        data = bytes(request)
        text = data[:1_200].decode("latin-1") + (f"… ({len(data)} bytes)" if len(data) > 1_200 else "")
        if request.raw is not None:
            text = text.replace("\r", "\\r").replace("\n", "\\n\n")
        reached = "\n\n".join(arrival.text() for arrival in exchange.arrivals[:3])
        curl = request.curl()
        return Evidence(
            what=what,
            request=self._masked(text.replace("\r\n", "\n").rstrip()),
            response=self._masked(exchange.answer.text()),
            reached=self._masked(reached) or None,
            curl=self._masked(curl, _quoted("CREDENTIAL"), _quoted("SIGNATURE"))
            if curl and request.source == ATTACKER
            else None,
        )

    def _masked(
        self, text: str, mask: str = "[credential of the sandbox]", signature: str = "[signature]"
    ) -> str:
        for app in self.sandbox.applications:
            for secret in (app.key, app.password, app.opaque):
                text = text.replace(secret, mask)
        for secret in self.sandbox.secrets.values():
            text = text.replace(secret, "[secret of the sandbox]")
        text = re.sub(r"(Basic )[\w+/=]{8,}", rf"\1{mask}", text)
        return _SIGNATURE.sub(lambda found: found[1] + signature, text)


def _quoted(name: str) -> str:
    """A variable of the shell within a word in single quotes."""
    return f"'\"${name}\"'"


def _chosen(candidate: Candidate, unjudged: list[str]) -> list[Route]:
    """The routes to attack: those that lead to a service, and of many with the same policies a few."""
    seen: dict[tuple[str, ...], int] = {}
    chosen = []
    for route in candidate.routes:
        if not route.upstreams:
            continue
        key = (route.api, route.version, *(f"{policy.origin} {policy.id}" for policy in route.policies))
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= _ALIKE or len(candidate.routes) <= MOST_ROUTES:
            chosen.append(route)
    if len(chosen) < sum(bool(route.upstreams) for route in candidate.routes):
        unjudged.append(f"of routes with the same policies only {_ALIKE} of a version were attacked")
    if len(chosen) > MOST_ROUTES:
        unjudged.append(f"{len(chosen) - MOST_ROUTES} routes were not attacked: at most {MOST_ROUTES} are")
    return chosen[:MOST_ROUTES]
