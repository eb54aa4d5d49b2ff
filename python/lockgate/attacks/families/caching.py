"""Answers of one caller that another gets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lockgate.attacks.family import Attack
from lockgate.attacks.findings import Weakness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.attacks.candidate import Policy, Route
    from lockgate.attacks.findings import Finding
    from lockgate.attacks.target import Target
    from lockgate.attacks.wire import Exchange, Request

SHARED = Weakness(
    "attack.cache.shared",
    "The cache gives one caller's answer to another",
    "high",
    "certain",
    "API1:2023",
    "identify callers before the `cache` policy, so that answers are kept apart by application; "
    "or leave `ignore_cookies` out of it",
)
POISONED = Weakness(
    "attack.cache.poisoned",
    "A caller puts an answer into the cache that others get",
    "medium",
    "possible",
    "API8:2023",
    "remove fields from which services make links with a `headers` policy, such as "
    "`request: { remove: [X-Host, X-Forwarded-Server, X-Original-Host] }`, or let the service say `Vary`",
)
ATTACKER_HOST = "attacker.test"
_UNKEYED = ("X-Forwarded-Host", "X-Host", "X-Forwarded-Server", "X-Original-Host")


class Caching(Attack):
    """Answers that are kept: for whom, and who may write them."""

    name = "caching"
    about = "answers of one application or session for another, answers poisoned by fields that are no key"
    weaknesses = (SHARED, POISONED)

    def run(self, target: Target) -> Iterator[Finding]:
        """Attack each route that has a `cache` policy, in a sandbox in which answers are kept."""
        kept = [
            (route, policy)
            for route in target.routes
            for policy in route.of("cache")[:1]
            if policy.mode == "enforce" and route.method == "GET" and target.baseline(route)
        ]
        if not kept:
            return
        with target.variant(caches=True) as sandbox:
            inner = target.in_sandbox(sandbox)
            for route, policy in kept:
                yield from _shared(inner, route, policy)
                yield from _poisoned(inner, route, policy)


def _shared(target: Target, route: Route, policy: Policy) -> Iterator[Finding]:
    apps = target.sandbox.applications
    pairs: list[tuple[str, Request | None, Request | None]] = []
    if route.identifies:
        first = target.good(route, app=apps.for_route(route))
        second = target.good(route, app=apps.for_route(route, 1))
        pairs.append(("another application", first, second))
        pairs.append(("a request without credential", first, target.anonymous(route)))
    good = target.good(route)
    if good and not route.identifies:
        for what, name, mine, theirs in (
            ("another session's cookie", "Cookie", "session=first", "session=second"),
            ("another token", "Authorization", "Bearer first", "Bearer second"),
        ):
            pairs.append((what, good.plus((name, mine)), good.plus((name, theirs))))
    for number, (what, one, two) in enumerate(pairs):
        if one is None or two is None:
            continue
        mark = f"sandbox-shared={number}"
        hit = _same_answer(target, one.query(mark), two.query(mark))
        if hit:
            detail = f"an answer kept by `{policy.id}` came for {what}"
            yield target.finding(SHARED, route, detail, hit, policy=policy)
            return


def _same_answer(target: Target, one: Request, two: Request) -> list[tuple[str, Exchange]]:
    """Both exchanges, when the second got what the service had said to the first."""
    first, second = target.send(one), target.send(two)
    kept = first.reached and not second.reached and second.answer.status == 200
    if kept and first.answer.body and first.answer.body == second.answer.body:
        return [("the first caller", first), ("the second caller", second)]
    return []


def _poisoned(target: Target, route: Route, policy: Policy) -> Iterator[Finding]:
    good = target.good(route)
    if good is None:
        return
    for number, name in enumerate(_UNKEYED):
        mark = f"sandbox-poisoned={number}"
        hit = _same_answer(target, good.query(mark).plus((name, ATTACKER_HOST)), good.query(mark))
        if hit and _believes(hit[1][1]):
            detail = f"an answer that the service made for `{name}: {ATTACKER_HOST}` was kept for others"
            yield target.finding(POISONED, route, detail, hit, policy=policy)
            return


def _believes(exchange: Exchange) -> bool:
    try:
        said = json.loads(exchange.answer.body)
    except ValueError:
        return False
    return isinstance(said, dict) and ATTACKER_HOST in str(said.get("self", ""))
