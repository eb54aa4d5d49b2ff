"""What answers and forwarded requests tell that they need not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockgate.attacks.family import Attack
from lockgate.attacks.findings import Weakness
from lockgate.attacks.services import BANNER, TRACE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.attacks.candidate import Route
    from lockgate.attacks.findings import Finding
    from lockgate.attacks.target import Target
    from lockgate.attacks.wire import Exchange

BANNERS = Weakness(
    "attack.disclosure.banner",
    "Answers tell what the service runs on",
    "low",
    "certain",
    "API8:2023",
    "add `{ id: tidy, kind: response_headers }`, which removes `Server` and `X-Powered-By`",
)
STACK = Weakness(
    "attack.disclosure.trace",
    "Stack traces of the service reach callers",
    "info",
    "possible",
    "API8:2023",
    "turn them off in the service; `{ id: contract, kind: schema, response: true }` refuses answers "
    "that are not described",
)
ERRORS = Weakness(
    "attack.disclosure.error",
    "Errors of the gateway tell internal names or secrets",
    "high",
    "certain",
    "API8:2023",
    "report it as SECURITY.md says: errors carry neither names, addresses nor secrets of the inside",
)
FORWARDED = Weakness(
    "attack.disclosure.credential",
    "The caller's credential is handed to the service",
    "low",
    "certain",
    "API8:2023",
    "take `forward: true` out of the policy: the service learns the caller from `X-Lockgate-Application`",
)
_INTERNAL = re.compile(
    rb"Traceback|panicked at|RUST_BACKTRACE|\.rs:\d+|127\.0\.0\.1:\d{4,5}|/tmp/lockgate-attack"
)


class Disclosure(Attack):
    """Banners, stack traces, internal names in errors, credentials that go further than they must."""

    name = "disclosure"
    about = "banners, stack traces, secrets and names of the inside in errors, forwarded credentials"
    weaknesses = (BANNERS, STACK, ERRORS, FORWARDED)

    def run(self, target: Target) -> Iterator[Finding]:
        """Look at answers of each route."""
        for route in target.routes:
            yield from _errors(target, route)
            baseline = target.baseline(route)
            if baseline is None:
                continue
            told = [
                name
                for name in ("Server", "X-Powered-By")
                if (baseline.answer.header(name) or "") in {BANNER, "PHP/5.6.40"}
            ]
            if told:
                detail = f"the service's `{'`, `'.join(told)}` reached the caller"
                yield target.finding(BANNERS, route, detail, [("a good request", baseline)])
            yield from _trace(target, route)
            yield from _credential(target, route, baseline)


def _trace(target: Target, route: Route) -> Iterator[Finding]:
    good = target.good(route)
    if good is None:
        return
    exchange = target.send(good.query("sandbox-error=1"))
    if TRACE.encode() in exchange.answer.body:
        detail = "a stack trace in an answer with status 500 reached the caller"
        yield target.finding(STACK, route, detail, [("a request that fails in the service", exchange)])


def _credential(target: Target, route: Route, baseline: Exchange) -> Iterator[Finding]:
    app = target.sandbox.applications.for_route(route)
    for arrival in baseline.arrivals:
        text = arrival.text(4_096)
        for secret in (app.key, app.opaque):
            if secret in text:
                policy = next((p for p in route.phase("identify") if p.mode != "off"), None)
                detail = "the service got the credential itself"
                yield target.finding(FORWARDED, route, detail, [("a good request", baseline)], policy=policy)
                return


def _errors(target: Target, route: Route) -> Iterator[Finding]:
    base = target.anonymous(route)
    requests = [
        base,
        base.plus(("Authorization", "Bearer ${jndi:x}")),
        base.at("/%zz"),
        base.by("PROPFIND"),
        base.plus(("Content-Length", "5")),
        base.at(route.sample_path("%00")),
    ]
    for request in requests:
        exchange = target.send(request, wait=0.5)
        if exchange.reached:
            continue
        body = exchange.answer.body
        secrets = [s for s in target.sandbox.secrets.values() if s.encode() in body]
        found = _INTERNAL.search(body)
        if secrets or found:
            what = "a secret" if secrets else f"`{found[0].decode()}`" if found else ""
            detail = f"an error of the gateway carries {what}"
            yield target.finding(ERRORS, route, detail, [("a bad request", exchange)])
            return
