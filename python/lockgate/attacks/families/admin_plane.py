"""The admin listener, from where callers are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.attacks.family import Attack
from lockgate.attacks.findings import Weakness
from lockgate.attacks.wire import Exchange, Request, send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.attacks.findings import Finding
    from lockgate.attacks.target import Target

REACHABLE = Weakness(
    "attack.admin.reachable",
    "Callers reach the admin listener",
    "critical",
    "certain",
    "API8:2023",
    "let nothing lead from a public address to that of `admin`: no proxy, no upstream, no port forward",
)
PAGES = Weakness(
    "attack.admin.pages",
    "Pages in a browser reach the admin listener",
    "high",
    "certain",
    "API8:2023",
    "report it as SECURITY.md says: the admin listener answers no page and no foreign `Host`",
)
_PATHS = ("/metrics", "/stats.json", "/healthz", "/ready", "/reload")
_SIGNS = (b"lockgate_", b'"applied"', b"alive\n", b"ready\n", b'"requests"')


class AdminPlane(Attack):
    """Admin paths on public listeners, and foreign hosts and origins on the admin listener."""

    name = "admin"
    about = (
        "admin paths through public listeners, DNS rebinding and cross-site requests to the admin listener"
    )
    weaknesses = (REACHABLE, PAGES)

    def run(self, target: Target) -> Iterator[Finding]:
        """Ask public listeners for what the admin listener says, and that one as pages would."""
        hits = []
        admin = f"127.0.0.1:{target.sandbox.admin[1]}"
        for listener in target.sandbox.listeners:
            for path in _PATHS:
                for at, host in ((path, "sandbox.test"), (path, admin), (f"http://{admin}{path}", admin)):
                    exchange = target.send(Request("GET", at, (("Host", host),)), listener=listener)
                    if not exchange.reached and any(sign in exchange.answer.body for sign in _SIGNS):
                        hits.append((f"`{at}` on `{listener}`", exchange))
        if hits:
            detail = f"the admin listener answered {', '.join(what for what, _ in hits)}"
            yield target.finding(REACHABLE, None, detail, hits)
        yield from _pages(target)


def _pages(target: Target) -> Iterator[Finding]:
    own = f"127.0.0.1:{target.sandbox.admin[1]}"
    tries = {
        "a foreign host": (("Host", "attacker.test"),),
        "a host that looks like it": (("Host", "127.0.0.1.attacker.test"),),
        "a foreign origin": (("Host", own), ("Origin", "https://attacker.test")),
        "no origin that a page has": (("Host", own), ("Origin", "null")),
    }
    hits = []
    for what, headers in tries.items():
        for method, path in (("GET", "/stats.json"), ("POST", "/reload")):
            request = Request(method, path, headers, source="127.0.0.1")
            answer = send(target.sandbox.admin, request)
            target.count()
            if answer.status == 200:
                hits.append((f"`{method} {path}` with {what}", Exchange(request, answer)))
    if hits:
        detail = f"the admin listener answered {', '.join(what for what, _ in hits)}"
        yield target.finding(PAGES, None, detail, hits)
