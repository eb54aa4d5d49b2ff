"""Fields by which a caller pretends to be somebody, or somewhere, else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.attacks.credentials import allowed_address
from lockgate.attacks.family import Attack
from lockgate.attacks.findings import Place, Weakness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.attacks.candidate import Policy, Route
    from lockgate.attacks.findings import Finding
    from lockgate.attacks.target import Target

ADDRESS = Weakness(
    "attack.fields.client_address",
    "Callers choose their address",
    "high",
    "certain",
    "API8:2023",
    "list only the addresses of your own proxies in the listener's `trusted_proxies`",
)
IDENTITY = Weakness(
    "attack.fields.identity",
    "Callers write fields that the service takes from the gateway",
    "high",
    "certain",
    "API2:2023",
    "write `set` in place of `add` in the `headers` policy: it replaces what the caller sent",
)
STRIPPED = Weakness(
    "attack.fields.stripped",
    "Callers remove fields that the gateway adds",
    "high",
    "certain",
    "API8:2023",
    "report it as SECURITY.md says: `Connection` must not name what the gateway adds",
)
URL = Weakness(
    "attack.fields.url_override",
    "A field may change the path behind the gateway",
    "medium",
    "possible",
    "API5:2023",
    "remove the fields with a `headers` policy: `request: { remove: [X-Original-URL, X-Rewrite-URL] }`",
)
SPOOFED = "203.0.113.66"
FORGED = "lockgate-attacker"
CARRIERS = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X_Forwarded_For", "True-Client-IP", "X-Client-IP")
OWN = (
    "X-Lockgate-Application",
    "X-Lockgate-Subject",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-For",
)


class Fields(Attack):
    """Addresses, identities and paths in fields."""

    name = "fields"
    about = "spoofed client addresses, injected identity fields and aliases, fields that `Connection` names"
    weaknesses = (ADDRESS, IDENTITY, STRIPPED, URL)

    def run(self, target: Target) -> Iterator[Finding]:
        """Attack listeners once, and routes by what their policies write."""
        yield from _listeners(target)
        for route in target.routes:
            baseline = target.baseline(route)
            if baseline is None:
                continue
            yield from _filters(target, route)
            yield from _identity(target, route)
            yield from _url(target, route)


def _listeners(target: Target) -> Iterator[Finding]:
    """Whether any caller is taken for a trusted proxy, by what services are told."""
    route = next((r for r in target.routes if target.baseline(r) and allowed_address(r) is None), None)
    good = target.good(route) if route else None
    if route is None or good is None:
        return
    for listener in target.sandbox.listeners:
        exchange = target.send(good.plus(("X-Forwarded-For", SPOOFED)), listener=listener)
        told = [value for arrival in exchange.arrivals for value in arrival.all("x-forwarded-for")]
        if any(SPOOFED in value for value in told):
            detail = f"the listener `{listener}` believes the `X-Forwarded-For` of any caller"
            place = _line(target, "trusted_proxies")
            yield target.finding(ADDRESS, None, detail, [("a spoofed address", exchange)], place=place)


def _line(target: Target, word: str) -> Place:
    """The first line of the document that has a word."""
    text = Path(target.candidate.file).read_text(errors="replace")
    lines = [at for at, line in enumerate(text.splitlines(), 1) if word in line]
    return Place(file=target.candidate.file, line=lines[0] if lines else 1)


def _filters(target: Target, route: Route) -> Iterator[Finding]:
    address = allowed_address(route)
    if address is None:
        return
    base = target.sandbox.issuance.give(
        target.anonymous(route), route, target.sandbox.applications.for_route(route)
    )
    if base is None or target.send(base).reached:
        return
    for name in CARRIERS:
        value = f"for={address}" if name == "Forwarded" else address
        exchange = target.send(base.plus((name, value)))
        if exchange.reached:
            policy = route.of("ip_filter")[0]
            detail = f"`{policy.id}` let a caller of another network pass with `{name}: {value}`"
            yield target.finding(ADDRESS, route, detail, [("a spoofed address", exchange)], policy=policy)
            return


def _written(route: Route) -> dict[str, Policy]:
    """The fields that policies of a route write for the service."""
    found = {}
    for policy in route.of("headers"):
        request = policy.declared.get("request", {})
        if policy.enforced and policy.when is None:
            found.update({name: policy for sort in ("set", "add") for name in request.get(sort, {})})
    return found


def _identity(target: Target, route: Route) -> Iterator[Finding]:
    written = _written(route)
    for name in (*written, *OWN):
        good = target.good(route)
        if good is None:
            return
        forged = good.plus(*((spelling, FORGED) for spelling in _spellings(name)))
        exchange = target.send(forged)
        if any(FORGED in value for arrival in exchange.arrivals for value in arrival.all(name)):
            detail = f"the service got `{name}: {FORGED}` as the caller wrote it"
            yield target.finding(
                IDENTITY, route, detail, [("a forged field", exchange)], policy=written.get(name)
            )
        named = target.send(good.plus(("Connection", f"close, {name}")))
        usual = target.baseline(route)
        had = usual and any(arrival.all(name) for arrival in usual.arrivals)
        if had and named.reached and not any(arrival.all(name) for arrival in named.arrivals):
            detail = f"with `Connection: {name}` the service did not get `{name}`"
            yield target.finding(STRIPPED, route, detail, [("a field that is named", named)])


def _spellings(name: str) -> list[str]:
    alias = name.replace("-", "_")
    return [name, *([alias, alias.replace("_", "-", 1)] if alias != name else []), name.upper()]


def _url(target: Target, route: Route) -> Iterator[Finding]:
    """It matters where some path is guarded better than this one."""
    own = {f"{policy.origin} {policy.id}" for policy in route.policies}
    better = next(
        (
            other
            for other in target.candidate.siblings(route)
            if other.path != route.path
            and any(
                p.enforced and f"{p.origin} {p.id}" not in own
                for p in [*other.phase("identify"), *other.phase("authorize")]
            )
        ),
        None,
    )
    good = target.good(route)
    if better is None or good is None:
        return
    path = better.sample_path()[better.strip :] or "/"
    exchange = target.send(good.plus(("X-Original-URL", path), ("X-Rewrite-URL", path)))
    passed = [name for name in ("X-Original-URL", "X-Rewrite-URL") for a in exchange.arrivals if a.all(name)]
    if passed:
        names = "`, `".join(passed)
        detail = f"`{names}` reached the service; some then serve `{path}`, which `{better.id}` guards"
        yield target.finding(URL, route, detail, [("a path in a field", exchange)])
