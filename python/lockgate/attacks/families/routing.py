"""Reaching what a route guards by another spelling of the request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.attacks.family import Attack
from lockgate.attacks.findings import Weakness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.attacks.candidate import Route
    from lockgate.attacks.findings import Finding
    from lockgate.attacks.target import Target
    from lockgate.attacks.wire import Exchange, Request

ENCODED = Weakness(
    "attack.auth.encoded_path",
    "Policies and service read the path differently",
    "critical",
    "certain",
    "API5:2023",
    "report it as SECURITY.md says: a gateway forwards the path that its policies saw",
)
VARIANT = Weakness(
    "attack.auth.path_variant",
    "A variant of the path goes past the policies of its route",
    "medium",
    "possible",
    "API5:2023",
    "write `unlisted: refuse` in the version and list its routes, or declare the policy at the version",
)
METHOD = Weakness(
    "attack.auth.method_variant",
    "Another method goes past the policies of the route",
    "high",
    "likely",
    "API5:2023",
    "leave `methods` out of the guarded route, or write `unlisted: refuse` in the version",
)
OVERRIDE = Weakness(
    "attack.auth.method_override",
    "A field may change the method behind the gateway",
    "low",
    "possible",
    "API5:2023",
    "remove the field: `{ id: no-override, kind: headers, request: { remove: [X-HTTP-Method-Override, "
    "X-HTTP-Method, X-Method-Override] } }`",
)
HOST = Weakness(
    "attack.auth.host_variant",
    "Another host leads to the same service with less protection",
    "high",
    "likely",
    "API9:2023",
    "give every API that leads to the service the same policies, or list the `hosts` of each",
)
HEADER_ROUTE = Weakness(
    "attack.auth.header_route",
    "A field of the caller selects a route with less protection",
    "high",
    "likely",
    "API5:2023",
    "declare the policies at the version, so that routes selected by `headers` have them too",
)
OVERRIDES = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")


class Routing(Attack):
    """Paths, methods, hosts and fields that lead elsewhere in the gateway and to the same in the service."""

    name = "routing"
    about = "encoded and varied paths, other methods and overrides, other hosts, routes selected by fields"
    weaknesses = (ENCODED, VARIANT, METHOD, OVERRIDE, HOST, HEADER_ROUTE)

    def run(self, target: Target) -> Iterator[Finding]:
        """Attack each route that refuses somebody."""
        for route in target.routes:
            for caller, request in _callers(target, route):
                refused = target.send(request)
                if not refused.refused:
                    continue
                first = (f"{caller} is refused", refused)
                yield from _paths(target, route, first)
                yield from _methods(target, route, first)
                yield from _elsewhere(target, route, first)
                break


def _callers(target: Target, route: Route) -> Iterator[tuple[str, Request]]:
    """Callers with few rights, those with more of them first: what they reach, others reach too."""
    base = target.anonymous(route)
    if route.enforces("require"):
        bare = target.sandbox.issuance.give(
            target.from_allowed(base, route), route, target.sandbox.applications.bare
        )
        if bare:
            yield "a caller without rights", bare
    if route.enforces("ip_filter"):
        entitled = target.sandbox.issuance.give(base, route, target.sandbox.applications.for_route(route))
        if entitled:
            yield "a caller from another network", entitled
    if route.identifies:
        yield "a request without credential", target.from_allowed(base, route)


def _encoded(path: str) -> dict[str, str]:
    """Spellings that are the same path by RFC 3986 §6, or that services take for it."""
    last = path.rsplit("/", 1)[-1]
    letter = next((char for char in last or path if char.isalnum()), "")
    start = path.rfind(last) if last else 1
    escaped = path[:start] + path[start:].replace(letter, f"%{ord(letter):02x}", 1) if letter else path
    twice = escaped.replace("%", "%25", 1)
    return {
        "an escaped letter": escaped,
        "a letter escaped twice": twice,
        "a double slash": "/" + path,
        "a double slash within": path.replace("/", "//").replace("//", "/", 1)
        if path.count("/") > 1
        else "/" + path,
        "`/./`": "/." + path,
        "`/x/../`": "/x/.." + path,
        "`/x/%2e%2e/`": "/x/%2e%2e" + path,
        "`/..;/`": "/x/..;" + path,
        "an escaped slash": "/" + path[1:].replace("/", "%2f"),
        "a backslash": path[:1] + path[1:].replace("/", "\\") if path.count("/") > 1 else "\\" + path[1:],
        "a parameter of the path": path + ";a=b",
        "a NUL": path + "%00",
        "a whole URL": "http://sandbox.test" + path,
        "a fragment": path + "#",
        "a tab": path + "%09",
        "an overlong dot": "/x/%c0%ae%c0%ae" + path,
    }


def _varied(path: str) -> dict[str, str]:
    """Other paths that lenient services take for the same."""
    return {
        "a slash at the end": path + "/",
        "upper case": path.upper() if path.upper() != path else path.swapcase(),
        "an extension": path + ".json",
        "a space at the end": path + "%20",
        "a dot at the end": path + ".",
    }


def _paths(target: Target, route: Route, first: tuple[str, Exchange]) -> Iterator[Finding]:
    request = first[1].request
    path, _, query = request.target.partition("?")
    if path == "/":
        return
    tail = f"?{query}" if query else ""
    same = _reaching(target, request, {what: at + tail for what, at in _encoded(path).items()})
    hits = [(what, exchange) for what, exchange in same if _still_the_same(route, path, exchange)]
    if hits:
        names = ", ".join(what for what, _ in hits)
        yield target.finding(
            ENCODED, route, f"{first[0]}, but reached the service with {names}", [first, *hits]
        )
    varied = _reaching(target, request, {what: at + tail for what, at in _varied(path).items()})
    if varied:
        names = ", ".join(what for what, _ in varied)
        detail = f"{first[0]}, but the same caller reached the service with {names} of `{path}`"
        yield target.finding(VARIANT, route, detail, [first, *varied])


def _reaching(target: Target, request: Request, targets: dict[str, str]) -> list[tuple[str, Exchange]]:
    found = []
    for what, at in targets.items():
        if at != request.target and (exchange := target.send(request.at(at))).reached:
            found.append((what, exchange))
    return found


def _still_the_same(route: Route, path: str, exchange: Exchange) -> bool:
    """Whether a service may take what arrived for the guarded path."""
    wanted = path[route.strip :] or "/"
    arrived = exchange.arrivals[0].path.partition("?")[0]
    # Escapes of escapes and the like arrive as they are: another name, which no service takes for the path.
    return (
        arrived == wanted
        or not arrived.replace("/", "").isascii()
        or any(sign in arrived for sign in ("..", "\\", "//", "/./", ";", "%2f", "%5c", "%00", "%2e"))
    )


def _methods(target: Target, route: Route, first: tuple[str, Exchange]) -> Iterator[Finding]:
    request = first[1].request
    if request.method == "GET":
        same = _reaching_by(target, request, ("HEAD",))
        odd = _reaching_by(target, request, ("TRACE", "get", "FOO"))
        if same:
            detail = f"{first[0]}, but reached the service by `HEAD`, which is `GET` without the body"
            yield target.finding(METHOD, route, detail, [first, *same])
        elif odd:
            names = ", ".join(name for name, _ in odd)
            detail = f"{first[0]}, but reached the service by {names}, which some services treat as `GET`"
            yield target.finding(
                METHOD, route, detail, [first, *odd], severity="medium", certainty="possible"
            )
    if route.methods:
        yield from _overrides(target, route, first)


def _reaching_by(target: Target, request: Request, methods: tuple[str, ...]) -> list[tuple[str, Exchange]]:
    sent = [(f"`{method}`", target.send(request.by(method))) for method in methods]
    return [(what, exchange) for what, exchange in sent if exchange.reached]


def _overrides(target: Target, route: Route, first: tuple[str, Exchange]) -> Iterator[Finding]:
    request = first[1].request
    carriers = [method for method in ("POST", "GET") if method not in route.methods]
    for carrier in carriers:
        hits = []
        for name in OVERRIDES:
            exchange = target.send(request.by(carrier).plus((name, request.method)))
            if any(arrival.all(name) for arrival in exchange.arrivals):
                hits.append((f"`{carrier}` with `{name}: {request.method}`", exchange))
        if hits:
            names = ", ".join(name for name, _ in hits)
            detail = f"{first[0]}, but reached the service with {names}"
            yield target.finding(OVERRIDE, route, detail, [first, *hits])
            return


def _elsewhere(target: Target, route: Route, first: tuple[str, Exchange]) -> Iterator[Finding]:
    """The same path of the same service through other routes."""
    baseline = target.baseline(route)
    if baseline is None:
        return
    wanted = (baseline.arrivals[0].upstream, baseline.arrivals[0].path.partition("?")[0])
    request = first[1].request
    hosts = [
        "localhost",
        "127.0.0.1",
        "other.test",
        *(o.host for o in target.candidate.routes if o.host != route.host),
    ]
    tries = [(HOST, f"`Host: {host}`", request.having(("Host", host))) for host in dict.fromkeys(hosts)]
    for other in target.candidate.routes:
        if other is not route and set(other.upstreams) & set(route.upstreams):
            wants = [(name, value or "1") for name, value in other.headers]
            at = other.path.rstrip("/").removesuffix("/{*rest}") + wanted[1] if "{*" in other.path else None
            if wants and other.sample_path() == route.sample_path():
                what = ", ".join(f"`{name}: {value}`" for name, value in wants)
                tries.append((HEADER_ROUTE, what, request.having(*wants)))
            elif at and other.api != route.api and other.host != route.host:
                tries.append((HOST, f"`{other.name}`", request.having(("Host", other.host)).at(at)))
            elif at and other.strip:
                tries.append((HOST, f"`{other.name}`", request.at(at)))
    for weakness, what, attempt in tries[:40]:
        exchange = target.send(attempt)
        arrived = [(arrival.upstream, arrival.path.partition("?")[0]) for arrival in exchange.arrivals]
        if wanted in arrived:
            detail = f"{first[0]}, but reached the same path of the service with {what}"
            yield target.finding(weakness, route, detail, [first, (what, exchange)])
            return
