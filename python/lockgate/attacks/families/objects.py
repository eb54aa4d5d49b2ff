"""Objects of others, found by counting through their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.attacks.families.limits import LIMITS
from lockgate.attacks.family import Attack
from lockgate.attacks.findings import Weakness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.attacks.findings import Finding
    from lockgate.attacks.target import Target

ENUMERATION = Weakness(
    "attack.objects.enumeration",
    "Objects can be listed by counting through ids",
    "medium",
    "possible",
    "API1:2023",
    "add a `require` policy that says who may ask, and a `rate_limit`; the service must check whose it is: "
    "the gateway tells it the caller in `X-Lockgate-Application`",
)
_IDS = 20


class Objects(Attack):
    """Ids in paths without rights and without limit."""

    name = "objects"
    about = "twenty ids in a row by one caller on routes with an id, without rights and limits"
    weaknesses = (ENUMERATION,)

    def run(self, target: Target) -> Iterator[Finding]:
        """Attack each route with a variable that neither asks for rights nor counts."""
        for route in target.routes:
            if not route.variables or route.enforces("require") or route.enforces(*LIMITS):
                continue
            good = target.good(route) if target.baseline(route) else None
            if good is None:
                continue
            _, _, query = good.target.partition("?")
            tail = f"?{query}" if query else ""
            sent = [target.send(good.at(route.sample_path(str(n)) + tail)) for n in range(1, _IDS + 1)]
            if all(exchange.reached for exchange in sent):
                detail = f"{_IDS} ids in a row reached the service; it may still check whose they are"
                yield target.finding(ENUMERATION, route, detail, [(f"id {_IDS}", sent[-1])])
