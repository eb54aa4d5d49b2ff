"""What pages of other origins may read (CORS)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.attacks.family import Attack
from lockgate.attacks.findings import Weakness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.attacks.candidate import Policy, Route
    from lockgate.attacks.findings import Finding
    from lockgate.attacks.target import Target
    from lockgate.attacks.wire import Exchange

_LIST = "list the origins of your own pages in `origins`, each in full: `https://shop.example.com`"
REFLECTED = Weakness(
    "attack.origins.reflected",
    "Pages of any origin act as their visitors",
    "high",
    "certain",
    "API8:2023",
    _LIST,
)
ANY = Weakness(
    "attack.origins.any",
    "Pages of any origin read answers to identified callers",
    "low",
    "likely",
    "API8:2023",
    _LIST,
)
WIDE = Weakness(
    "attack.origins.wide",
    "Credentials go along from origins that are easy to take",
    "low",
    "certain",
    "API8:2023",
    f"take `*` and `http://` out of `origins`, or `credentials` out of the policy; {_LIST}",
)
FOREIGN = ("https://attacker.test", "null", "https://attacker.test:8443")


class Origins(Attack):
    """Requests and preflights of pages that should get nothing."""

    name = "origins"
    about = "foreign, null and look-alike origins, wildcards and plain HTTP with credentials"
    weaknesses = (REFLECTED, ANY, WIDE)

    def run(self, target: Target) -> Iterator[Finding]:
        """Attack each route that has a `cors` policy, once for each policy."""
        seen = set()
        for route in target.routes:
            for policy in route.of("cors"):
                key = f"{policy.origin} {policy.id}"
                if policy.mode == "enforce" and key not in seen:
                    seen.add(key)
                    yield from _attack(target, route, policy)


def _attack(target: Target, route: Route, policy: Policy) -> Iterator[Finding]:
    origins: list[str] = policy.declared.get("origins", [])
    likes = [origin + ".attacker.test" for origin in origins if "*" not in origin]
    likes += [origin.replace("://", "://attacker-", 1) for origin in origins if "*" not in origin]
    for origin in (*FOREIGN, *likes):
        allowed, credentials, exchange = _ask(target, route, origin)
        what = [(f"`Origin: {origin}`", exchange)]
        if allowed == origin:
            detail = f"`{policy.id}` allows `{origin}`" + (" with credentials" if credentials else "")
            severity = "high" if credentials else "medium"
            yield target.finding(REFLECTED, route, detail, what, policy=policy, severity=severity)  # type: ignore[arg-type]
            return
        if allowed == "*" and route.identifies:
            detail = f"`{policy.id}` allows every origin on a route that identifies callers"
            yield target.finding(ANY, route, detail, what, policy=policy)
            return
    for origin in origins:
        if "*" in origin.partition("://")[2] or origin.startswith("http://"):
            sample = origin.replace("*", "attacker", 1).replace(":*", ":8443")
            allowed, credentials, exchange = _ask(target, route, sample)
            if allowed == sample and credentials:
                detail = f"`{policy.id}` lets `{sample}` act as its visitors"
                yield target.finding(WIDE, route, detail, [(f"`Origin: {sample}`", exchange)], policy=policy)
                return


def _ask(target: Target, route: Route, origin: str) -> tuple[str | None, bool, Exchange]:
    """What a preflight or a request of a page is told: the allowed origin, whether with credentials."""
    base = target.anonymous(route)
    preflight = base.by("OPTIONS").plus(("Origin", origin), ("Access-Control-Request-Method", route.method))
    exchange = target.send(preflight)
    if exchange.answer.header("access-control-allow-origin") is None:
        exchange = target.send(base.plus(("Origin", origin)))
    allowed = exchange.answer.header("access-control-allow-origin")
    credentials = exchange.answer.header("access-control-allow-credentials") == "true"
    return allowed, credentials, exchange
