"""Limits that are not there, or that a caller gets around."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from lockgate.attacks.credentials import allowed_address
from lockgate.attacks.family import Attack
from lockgate.attacks.findings import Weakness
from lockgate.attacks.sandbox import SCALED
from lockgate.attacks.wire import send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.attacks.candidate import Policy, Route
    from lockgate.attacks.findings import Finding
    from lockgate.attacks.target import Target
    from lockgate.attacks.wire import Exchange, Request

NONE = Weakness(
    "attack.limits.none",
    "No limit holds a caller back",
    "low",
    "certain",
    "API4:2023",
    "add `{ id: fair-use, kind: rate_limit, limit: 300, per: 1m }` to the API or the gateway",
)
EVADED = Weakness(
    "attack.limits.evaded",
    "A limit is evaded",
    "high",
    "certain",
    "API4:2023",
    "count by what callers cannot choose: `by: application`, or `by: address` behind your own proxies only",
)
BURST = Weakness(
    "attack.limits.burst",
    "More requests pass side by side than the limit allows",
    "high",
    "certain",
    "API4:2023",
    "report it as SECURITY.md says: a limit holds however requests arrive",
)
_KEY_HEADER = re.compile(r"""request\.headers\[\s*['"]([^'"]+)['"]\s*\]""")
_KEY_QUERY = re.compile(r"""request\.query(?:\[\s*['"]([^'"]+)['"]\s*\]|\.(\w+))""")
_TRIES = SCALED + 3
LIMITS = ("rate_limit", "quota", "concurrency")


class Limits(Attack):
    """Missing limits, and ways around those that are there, in a sandbox with small limits."""

    name = "limits"
    about = "missing limits, rotated addresses, keys, paths and queries above the limit, bursts side by side"
    weaknesses = (NONE, EVADED, BURST)

    def run(self, target: Target) -> Iterator[Finding]:
        """Look for missing limits here, and attack those there are in a sandbox of their own."""
        limited = []
        for route in target.routes:
            if route.enforces("rate_limit"):
                limited.append(route)
            elif not route.enforces(*LIMITS) and (baseline := target.baseline(route)):
                open_ = not route.identifies
                detail = "no enforced limit counts the requests of "
                detail += "callers, who are not even identified" if open_ else "a caller"
                lax = next((p for p in route.of(*LIMITS)), None)
                yield target.finding(
                    NONE,
                    route,
                    detail,
                    [("one of any number of requests", baseline)],
                    severity="medium" if open_ else "low",
                    policy=lax,
                )
        seen = set()
        # A caller whose address must be of some network has no other to change to.
        for route in sorted(limited, key=lambda route: allowed_address(route) is not None):
            key = tuple(f"{policy.origin} {policy.id}" for policy in route.of("rate_limit"))
            if key not in seen and target.baseline(route):
                seen.add(key)
                yield from _evade(target, route)


def _evade(target: Target, route: Route) -> Iterator[Finding]:
    with target.variant(limits=True) as sandbox:
        inner = target.in_sandbox(sandbox)
        good = inner.good(route)
        if good is None:
            return
        policy = next(policy for policy in route.of("rate_limit") if policy.enforced)
        passed, last = _until_refused(inner, good)
        if last.answer.status != 429:
            yield from _never(inner, route, policy, passed, last)
            return
        first = (f"request {passed + 1} of {SCALED} a minute is refused", last)
        for what, several in _ways(route, policy, good).items():
            hits = [exchange for request in several if (exchange := inner.send(request)).reached]
            if len(hits) == len(several):
                detail = (
                    f"`{policy.id}` refused the caller, who then passed {len(hits)} more times with {what}"
                )
                certain = "certain" if "path" not in what else "possible"
                severity = "high" if "path" not in what else "low"
                yield inner.finding(
                    EVADED,
                    route,
                    detail,
                    [first, (what, hits[0])],
                    policy=policy,
                    severity=severity,  # type: ignore[arg-type]
                    certainty=certain,  # type: ignore[arg-type]
                )
                return
    yield from _burst(target, route, policy)


def _until_refused(target: Target, good: Request) -> tuple[int, Exchange]:
    exchange = target.send(good)
    passed = 0
    while exchange.reached and passed < _TRIES:
        passed += 1
        exchange = target.send(good)
    return passed, exchange


def _never(target: Target, route: Route, policy: Policy, passed: int, last: Exchange) -> Iterator[Finding]:
    if passed >= _TRIES:
        detail = f"{passed} requests of one caller passed `{policy.id}`, which was cut to {SCALED} a minute"
        yield target.finding(EVADED, route, detail, [("one request too many", last)], policy=policy)


def _ways(route: Route, policy: Policy, good: Request) -> dict[str, list[Request]]:
    """Requests of the same caller that a limit may take for those of others."""
    by = str(policy.declared.get("by", "application"))
    numbers = range(SCALED)
    path, _, query = good.target.partition("?")
    tail = f"?{query}" if query else ""
    ways = {}
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP"):
        value = "for=203.0.113.{}" if name == "Forwarded" else "203.0.113.{}"
        if not any(known == "X-Forwarded-For" for known, _ in good.headers):
            ways[f"`{name}`"] = [good.plus((name, value.format(number + 1))) for number in numbers]
    for name in _KEY_HEADER.findall(by):
        ways[f"other values of `{name}`"] = [good.having((name, f"attacker-{n}")) for n in numbers]
    for pair in _KEY_QUERY.findall(by):
        name = pair[0] or pair[1]
        ways[f"other values of `?{name}`"] = [good.query(f"{name}=attacker-{n}") for n in numbers]
    ways["other queries"] = [good.query(f"sandbox={number}") for number in numbers]
    ways["other fields"] = [good.plus(("User-Agent", f"sandbox-{number}")) for number in numbers]
    if path.upper() != path:
        ways["the path in upper case"] = [good.at(path.upper() + tail) for _ in numbers]
    ways["a slash at the end of the path"] = [good.at(path + "/" + tail) for _ in numbers]
    if route.variables or "{*" in route.path:
        ways["other variables"] = [good.at(f"{route.sample_path(str(n))}{tail}") for n in numbers]
    return ways


def _burst(target: Target, route: Route, policy: Policy) -> Iterator[Finding]:
    """Send many at a time, and count those that the service got."""
    with target.variant(limits=True) as sandbox:
        inner = target.in_sandbox(sandbox)
        good = inner.good(route)
        if good is None or good.certificate:
            return
        many = SCALED * 4
        with ThreadPoolExecutor(many) as pool:
            list(pool.map(lambda _: send(sandbox.address, good, tls=sandbox.tls), range(many)))
        for _ in range(many):
            inner.count()
        passed = len(sandbox.echo.taken())
        if passed > SCALED:
            last = inner.send(good)
            detail = f"{passed} of {many} requests passed `{policy.id}`, which was cut to {SCALED} a minute"
            yield inner.finding(BURST, route, detail, [("the next request", last)], policy=policy)
