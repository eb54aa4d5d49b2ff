"""Reaching a service without the credential that its route asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockgate.attacks.credentials import placed
from lockgate.attacks.family import Attack
from lockgate.attacks.findings import Weakness

if TYPE_CHECKING:
    from collections.abc import Iterator

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
_HEADER = re.compile(r"""request\.headers\[\s*['"]([^'"]+)['"]\s*\]""")
_HAS_HEADER = re.compile(r"""['"]([\w-]+)['"]\s+in\s+request\.headers""")
_QUERY = re.compile(r"""request\.query(?:\[\s*['"]([^'"]+)['"]\s*\]|\.(\w+))""")
_TEXT = re.compile(r"""['"]([^'"]*)['"]""")


class Authentication(Attack):
    """No credential, bad ones, and conditions that switch the question off."""

    name = "authentication"
    about = "no credential, bad, empty, misplaced and repeated credentials, conditions that callers control"
    weaknesses = (ANONYMOUS, OPEN_SIBLING, NOT_ENFORCED, BAD_CREDENTIAL, CONDITION, FAILS_OPEN, IN_URL)

    def run(self, target: Target) -> Iterator[Finding]:
        """Attack each route."""
        for route in target.routes:
            anonymous = target.send(target.from_allowed(target.anonymous(route), route))
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
    """Try what the conditions of policies compare with."""
    for policy in [*route.phase("identify"), *route.phase("authorize")]:
        if policy.when is None or policy.mode != "enforce":
            continue
        plain = target.send(_as_less(target, route, policy))
        reached = None if plain.reached else _guess(target, route, policy)
        if plain.reached:
            reached = ("a request that the condition leaves out", plain)
        if reached:
            detail = f"`{policy.id}` applies when `{policy.when}`; {reached[0]} passed it"
            yield target.finding(CONDITION, route, detail, [reached], policy=policy)


def _as_less(target: Target, route: Route, policy: Policy) -> Request:
    """A request that the policy should refuse: without credential, or with one that has no rights."""
    base = target.anonymous(route)
    if policy.phase == "identify":
        return target.from_allowed(base, route)
    return target.sandbox.issuance.give(base, route, target.sandbox.applications.bare) or base


def _guess(target: Target, route: Route, policy: Policy) -> tuple[str, Exchange] | None:
    when = policy.when or ""
    base = _as_less(target, route, policy)
    headers = dict.fromkeys([*_HEADER.findall(when), *_HAS_HEADER.findall(when)])
    queries = dict.fromkeys(name for pair in _QUERY.findall(when) for name in pair if name)
    values = dict.fromkeys([*_TEXT.findall(when), "", "true", "1", "sandbox"])
    tries = [(f"`{name}: {value}`", base.having((name, value))) for name in headers for value in values]
    tries += [(f"`?{name}={value}`", base.query(f"{name}={value}")) for name in queries for value in values]
    for what, request in tries[:60]:
        exchange = target.send(request)
        if exchange.reached:
            return what, exchange
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
