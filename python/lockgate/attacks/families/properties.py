"""Properties that callers may not set (mass assignment)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from lockgate.attacks.family import Attack
from lockgate.attacks.findings import Weakness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.attacks.findings import Finding
    from lockgate.attacks.target import Target

OPEN_SCHEMA = Weakness(
    "attack.properties.open_schema",
    "The schema lets callers set unknown properties",
    "medium",
    "likely",
    "API3:2023",
    "write `additionalProperties: false` in the body's schema, and `readOnly: true` at what the service sets",
)
UNCHECKED = Weakness(
    "attack.properties.unchecked",
    "Nothing says which properties callers may set",
    "low",
    "possible",
    "API3:2023",
    "name the API's document with `openapi:` in the version and add `{ id: contract, kind: schema }`",
)
EXTRA = {"is_admin": True, "role": "admin", "lockgate_sandbox": 1}


class Properties(Attack):
    """Bodies with properties that the API's description does not have."""

    name = "properties"
    about = "unknown and read-only properties in bodies"
    weaknesses = (OPEN_SCHEMA, UNCHECKED)

    def run(self, target: Target) -> Iterator[Finding]:
        """Attack each route that takes a body by its name or by its description."""
        for route in target.routes:
            method = route.body_method
            if method is None or route.aggregate:
                continue
            operation = target.operation(route, method)
            takes_json = operation is not None and operation.schema() is not None
            if not (route.methods or takes_json):
                continue
            good = target.good(route, method) if target.baseline(route, method) else None
            if good is None:
                continue
            known = json.loads(good.body) if good.body else {}
            body = json.dumps((known if isinstance(known, dict) else {}) | EXTRA).encode()
            exchange = target.send(replace(good, body=body).having(("Content-Type", "application/json")))
            if not exchange.reached:
                continue
            checked = route.enforces("schema") and takes_json
            weakness = OPEN_SCHEMA if checked else UNCHECKED
            policy = next(iter(route.of("schema")), None)
            detail = f"`{'`, `'.join(EXTRA)}` reached the service in a body of `{method}`"
            yield target.finding(weakness, route, detail, [("unknown properties", exchange)], policy=policy)
