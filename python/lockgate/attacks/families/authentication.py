"""Reaching a service without the credential that its route asks for."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from lockgate.attacks.credentials import placed
from lockgate.attacks.family import Attack
from lockgate.attacks.findings import Weakness
from lockgate.attacks.wire import ATTACKER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lockgate.attacks.candidate import Policy, Route
    from lockgate.attacks.findings import Finding
    from lockgate.attacks.target import Target
    from lockgate.attacks.wire import Exchange, Request

ANONYMOUS = Weakness(
    "attack.auth.anonymous",
    "Anybody reaches the service",
    "medium",
    "possible",
    "API2:2023",
    "add a policy of the phase identify, such as `{ id: key, kind: api_key }`, to the API",
)
OPEN_SIBLING = Weakness(
    "attack.auth.open_sibling",
    "Route without authentication beside routes that need it",
    "medium",
    "likely",
    "API2:2023",
    "take `mode: off` or the override out of the route, or move what is public to an API of its own",
)
NOT_ENFORCED = Weakness(
    "attack.auth.not_enforced",
    "Authentication that does not act on every caller",
    "high",
    "certain",
    "API2:2023",
    "write `mode: enforce` and take `percent` out, once shadow has shown whom it would refuse",
)
BAD_CREDENTIAL = Weakness(
    "attack.auth.bad_credential",
    "A bad credential is accepted",
    "critical",
    "certain",
    "API2:2023",
    "let the policy that identifies be in `mode: enforce`, without `when` and with `on_error: deny`",
)
CONDITION = Weakness(
    "attack.auth.condition",
    "The caller decides whether a policy applies",
    "high",
    "certain",
    "API2:2023",
    "take `when` out of policies that identify or authorize, or let it look at `client` or `route` only",
)
FAILS_OPEN = Weakness(
    "attack.auth.fails_open",
    "Callers pass when the token issuer fails",
    "high",
    "certain",
    "API2:2023",
    "take `on_error: allow` out of the policy: requests are then refused with 503 until the issuer answers",
)
IN_URL = Weakness(
    "attack.auth.credential_in_url",
    "Credential in the URL",
    "low",
    "certain",
    "API2:2023",
    "take the credential from a field, `in: { header: X-Api-Key }`: URLs are kept in logs and histories",
)

_KEY_PLACE = {"header": "X-Api-Key"}
"""Where keys are when a policy does not say."""
_ADDRESSES = 40
"""From how many addresses a policy is tried that applies to a share of callers."""
_HEADER = re.compile(r"""request\.headers\[\s*['"]([^'"]+)['"]\s*\]""")
_HAS_HEADER = re.compile(r"""['"]([\w-]+)['"]\s+in\s+request\.headers""")
_QUERY = re.compile(r"""request\.query(?:\[\s*['"]([^'"]+)['"]\s*\]|\.(\w+))""")
_METHOD = re.compile(r"""['"](GET|POST|PUT|PATCH|DELETE)['"]""")
_TEXT = re.compile(r"""['"]([^'"]*)['"]""")


class Authentication(Attack):
    """No credential, bad ones, and conditions that switch the question off."""

    name = "authentication"
    about = "no credential, bad, empty, misplaced and repeated credentials, conditions that callers control"
    weaknesses = (ANONYMOUS, OPEN_SIBLING, NOT_ENFORCED, BAD_CREDENTIAL, CONDITION, FAILS_OPEN, IN_URL)

    def run(self, target: Target) -> Iterator[Finding]:
        """Attack each route."""
        for route in target.routes:
            anonymous = _anonymous(target, route)
            if anonymous.reached:
                yield self._open(target, route, anonymous)
            elif route.identifies:
                yield from _bad_credentials(target, route)
            yield from _conditions(target, route)
            yield from _in_url(target, route)
        yield from _failing_issuer(target)

    @staticmethod
    def _open(target: Target, route: Route, exchange: Exchange) -> Finding:
        what = [("a request without credential", exchange)]
        lax = [
            policy
            for policy in route.phase("identify")
            if policy.mode == "shadow" or (policy.mode == "enforce" and not policy.enforced)
        ]
        if lax:
            policy = lax[0]
            why = (
                f"is in `mode: {policy.mode}`"
                if policy.mode != "enforce"
                else "applies to a share of callers"
            )
            detail = f"`{policy.id}` {why}: a request without credential reached the service"
            return target.finding(NOT_ENFORCED, route, detail, what, policy=policy)
        off = next((policy for policy in route.phase("identify") if policy.mode == "off"), None)
        guarded = [other.name for other in target.candidate.siblings(route) if other.identifies]
        if off or guarded:
            beside = f"; `{guarded[0]}` asks for a credential" if guarded else ""
            detail = f"a request without credential reached the service{beside}"
            return target.finding(OPEN_SIBLING, route, detail, what, policy=off)
        detail = (
            "no policy of the route identifies callers, and a request without credential reached the service"
        )
        writes = not route.methods or set(route.methods) - {"GET", "HEAD", "OPTIONS"}
        return target.finding(ANONYMOUS, route, detail, what, severity="medium" if writes else "low")


def _anonymous(target: Target, route: Route) -> Exchange:
    """A request without credential; from several addresses when a policy applies to a share of them."""
    base = target.from_allowed(target.anonymous(route), route)
    exchange = target.send(base)
    shared = any(policy.mode == "enforce" and not policy.enforced for policy in route.phase("identify"))
    if shared and base.source == ATTACKER:
        for number in range(1, _ADDRESSES):
            if exchange.reached:
                break
            exchange = target.send(replace(base, source=f"127.66.7.{number}"))
    return exchange


def _bad_credentials(target: Target, route: Route) -> Iterator[Finding]:
    base = target.from_allowed(target.anonymous(route), route)
    accepted = [
        (what, exchange)
        for what, request in _bad(target, route, base)
        if (exchange := target.send(request)).reached
    ]
    if accepted:
        names = ", ".join(what for what, _ in accepted)
        policy = route.phase("identify")[0]
        yield target.finding(
            BAD_CREDENTIAL, route, f"reached the service with: {names}", accepted, policy=policy
        )


def _bad(target: Target, route: Route, base: Request) -> Iterator[tuple[str, Request]]:
    """Requests with credentials that are none."""
    for scheme in (
        "Bearer",
        "Basic",
        "Bearer null",
        "Bearer undefined",
        "Basic Og==",
        "Basic YWRtaW46YWRtaW4=",
    ):
        yield f"`{scheme}`", base.plus(("Authorization", scheme))
    app = target.sandbox.applications.for_route(route)
    for policy in route.phase("identify"):
        for way in policy.alternatives():
            is_key = way["kind"] == "api_key"
            place: dict[str, str] | None = way.get("in", _KEY_PLACE if is_key else None)
            for what, value in (("an empty credential", ""), ("an unknown credential", "lg_unknown")):
                yield what, placed(base, place, value)
            if place and is_key:
                yield from _misplaced(base, place, app.key)
                yield "an SQL text", placed(base, place, "' OR '1'='1")


def _misplaced(base: Request, place: dict[str, str], key: str) -> Iterator[tuple[str, Request]]:
    """A good key where the policy does not look for it, or twice."""
    name = next(iter(place.values()))
    if "header" not in place:
        yield "a key in a field", base.plus((name, key))
        return
    yield "a key in the query", base.query(f"{name}={key}")
    yield "a key in a cookie", base.plus(("Cookie", f"{name}={key}"))
    yield "a key under an alias of the field", base.plus((name.replace("-", "_"), key))
    yield "a key that comes twice", base.plus((name, "lg_unknown"), (name, key))
    yield "a key after a comma", base.plus((name, f"lg_unknown, {key}"))


def _conditions(target: Target, route: Route) -> Iterator[Finding]:
    """Try what the conditions of policies compare fields and parameters with."""
    for policy in [*route.phase("identify"), *route.phase("authorize")]:
        if policy.mode != "enforce" or not _switches(policy):
            continue
        base = _as_less(target, route, policy)
        usual = [base, *(base.by(method) for method in _METHOD.findall(policy.when or ""))]
        sent = [target.send(request) for request in usual]
        refused = next((exchange for exchange in sent if exchange.refused), None)
        hit = _guess(target, policy, refused.request) if refused else None
        if refused is None and policy.phase == "identify" and sent[0].reached:
            hit = ("a request that the condition leaves out", sent[0])
        if hit:
            detail = f"`{policy.id}` applies when `{policy.when}`; {hit[0]} passed it"
            first = [("the usual request is refused", refused)] if refused else []
            yield target.finding(CONDITION, route, detail, [*first, hit], policy=policy)


def _switches(policy: Policy) -> list[Callable[[Request, str], Request]]:
    """What a caller can write that the condition of a policy looks at."""
    when = policy.when or ""
    headers = dict.fromkeys([*_HEADER.findall(when), *_HAS_HEADER.findall(when)])
    queries = dict.fromkeys(name for pair in _QUERY.findall(when) for name in pair if name)
    return [
        *(partial(_with_header, name) for name in headers),
        *(partial(_with_parameter, name) for name in queries),
    ]


def _with_header(name: str, request: Request, value: str) -> Request:
    return request.having((name, value))


def _with_parameter(name: str, request: Request, value: str) -> Request:
    return request.query(f"{name}={quote(value)}")


def _as_less(target: Target, route: Route, policy: Policy) -> Request:
    """A request that the policy should refuse: without credential, or with one that has no rights."""
    base = target.anonymous(route)
    if policy.phase == "identify":
        return target.from_allowed(base, route)
    return target.sandbox.issuance.give(base, route, target.sandbox.applications.bare) or base


def _guess(target: Target, policy: Policy, refused: Request) -> tuple[str, Exchange] | None:
    """The first value of a field or parameter with which a refused request passes."""
    values = dict.fromkeys([*_TEXT.findall(policy.when or ""), "", "true", "1", "sandbox"])
    tries = [switch(refused, value) for switch in _switches(policy) for value in values]
    for request in tries[:60]:
        exchange = target.send(request)
        if exchange.reached:
            added = [
                f"`{name}: {value}`"
                for name, value in request.headers
                if (name, value) not in refused.headers
            ]
            return ", ".join(added) or f"`{request.target}`", exchange
    return None


def _in_url(target: Target, route: Route) -> Iterator[Finding]:
    for policy in route.phase("identify"):
        if policy.mode != "off" and any("query" in (way.get("in") or {}) for way in policy.alternatives()):
            baseline = target.baseline(route)
            if baseline:
                detail = f"`{policy.id}` takes the credential from the query"
                yield target.finding(IN_URL, route, detail, [("a good request", baseline)], policy=policy)


def _failing_issuer(target: Target) -> Iterator[Finding]:
    lax = {
        route.name: policy
        for route in target.routes
        for policy in route.phase("identify")
        if policy.mode == "enforce" and _fails_open(policy)
    }
    if not lax:
        return
    with target.variant(issuers=False) as sandbox:
        dark = target.in_sandbox(sandbox)
        for route in target.routes:
            policy = lax.get(route.name)
            app = sandbox.applications.bare
            base = dark.from_allowed(dark.anonymous(route), route)
            request = dark.sandbox.issuance.give(base, route, app) if policy else None
            if policy and request:
                exchange = dark.send(request)
                if exchange.reached:
                    detail = f"`{policy.id}` has `on_error: allow`: while the issuer failed, any token passed"
                    evidence = [("any token while the issuer fails", exchange)]
                    yield dark.finding(FAILS_OPEN, route, detail, evidence, policy=policy)


def _fails_open(policy: Policy) -> bool:
    return policy.on_error == "allow" or any(way.get("on_error") == "allow" for way in policy.alternatives())
