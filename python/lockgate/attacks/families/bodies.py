"""Bodies that break parsers."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from lockgate.attacks.family import Attack
from lockgate.attacks.findings import Weakness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.attacks.findings import Finding
    from lockgate.attacks.target import Target
    from lockgate.attacks.wire import Request

_JSON = "add `{ id: json-shape, kind: json_limits }` to the gateway"
DEEP = Weakness(
    "attack.body.deep_json",
    "JSON of any depth reaches the service",
    "low",
    "certain",
    "API4:2023",
    _JSON,
)
DUPLICATE = Weakness(
    "attack.body.duplicate_keys",
    "JSON with a key twice reaches the service",
    "low",
    "certain",
    "API8:2023",
    f"{_JSON}: what was checked is then what the service reads",
)
LARGE = Weakness(
    "attack.body.large",
    "Bodies of any size reach the service",
    "low",
    "certain",
    "API4:2023",
    "add `{ id: small, kind: size, body: 1MiB }` with the size that your callers need",
)
COMPRESSED = Weakness(
    "attack.body.compressed",
    "A compressed bomb reaches the service",
    "low",
    "possible",
    "API4:2023",
    f"{_JSON}: bodies that cannot be looked at are then refused",
)
_DEPTH = 2_000
_LARGE = 12 * 1024 * 1024
_ZEROS = 10 * 1024 * 1024


class Bodies(Attack):
    """Deep, large, ambiguous and compressed bodies."""

    name = "bodies"
    about = "deep JSON, keys twice, 12 MiB, a compressed bomb"
    weaknesses = (DEEP, DUPLICATE, LARGE, COMPRESSED)

    def run(self, target: Target) -> Iterator[Finding]:
        """Attack each route that takes bodies."""
        for route in target.routes:
            method = route.body_method
            if method is None or route.aggregate or not target.baseline(route, method):
                continue
            good = target.good(route, method)
            if good is None:
                continue
            for weakness, what, request in _requests(good):
                exchange = target.send(request, wait=10)
                if exchange.reached:
                    lax = next(iter(route.of("json_limits", "size")), None)
                    lax = lax if lax and not lax.enforced else None
                    detail = f"the service got {what}"
                    yield target.finding(weakness, route, detail, [(what, exchange)], policy=lax)


def _requests(good: Request) -> Iterator[tuple[Weakness, str, Request]]:
    plain = good.having(("Content-Type", "application/json"))
    deep = b'{"a":' + b"[" * _DEPTH + b"]" * _DEPTH + b"}"
    yield DEEP, f"{_DEPTH} arrays within one another", replace(plain, body=deep)
    known = json.loads(good.body) if good.body else {}
    pairs = [*known.items(), ("role", "user"), ("role", "admin")] if isinstance(known, dict) else []
    twice = "{" + ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in pairs) + "}"
    yield DUPLICATE, "an object with `role` twice", replace(plain, body=twice.encode())
    binary = good.having(("Content-Type", "application/octet-stream"))
    yield LARGE, f"a body of {_LARGE // 1024 // 1024} MiB", replace(binary, body=b"\xff" * _LARGE)
    bomb = gzip.compress(b"[" + b"0," * (_ZEROS // 2) + b"0]", 9)
    packed = plain.plus(("Content-Encoding", "gzip"))
    yield (
        COMPRESSED,
        f"{len(bomb)} bytes that become {_ZEROS // 1024 // 1024} MiB",
        replace(packed, body=bomb),
    )
