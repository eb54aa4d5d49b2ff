"""Budgets and limits of tokens as the document that is served declares them, and the times they are for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from lockgate.control.analytics.money import MICROS, dollars

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.control.portal.catalogue import Catalogue, Policy

KINDS: Final = ("budget", "token_limit")
SHORTEST: Final = 300
"""Recorded use is counted in spans of five minutes; what is shorter, the gateway alone can tell."""
_LENGTH: Final = re.compile(r"(\d{1,9})(s|m|h|d)")
_SIZES: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_UNITS: Final = ("hour", "day", "week", "month")
_MODEL: Final = "model "
"""How the origin of a policy begins that a model declares."""


@dataclass(frozen=True)
class Window:
    """The time that an amount is for, in seconds; the end is outside."""

    start: int
    end: int


@dataclass(frozen=True)
class Purse:
    """A policy that gives callers an amount of money or tokens of models for a time."""

    kind: str
    id: str
    origin: str
    """Where it is declared, such as `api ai`: with its `id`, what names it."""
    mode: str
    limit: int | None
    """For callers on no plan of `by_plan`. Millionths of a US dollar, or tokens."""
    by_plan: Mapping[str, int]
    per: str
    zone: str
    by: str
    """Who is counted: `application`, `team`, `model`, or something that recorded use does not tell."""
    routes: frozenset[tuple[str, str, str]]
    """API, version and name of each route that it holds for."""

    @property
    def is_money(self) -> bool:
        """Whether it is about money, and not about tokens."""
        return self.kind == "budget"

    @property
    def is_enforced(self) -> bool:
        """Whether anybody is refused by it."""
        return self.mode == "enforce"

    @property
    def model(self) -> str:
        """The model whose calls alone it is about; empty when it is about all of its routes."""
        return self.origin.removeprefix(_MODEL) if self.origin.startswith(_MODEL) else ""

    @property
    def where(self) -> str:
        """What it is declared for: an API, with its version or route, or a model; empty for everything."""
        return self.origin.partition(" ")[2].replace("/", " ")

    @property
    def apis(self) -> list[str]:
        """The APIs that it holds for."""
        return sorted({api for api, _, _ in self.routes})

    @property
    def span(self) -> str:
        """The time it is for, behind `in this` or `in`."""
        return f"this {self.per}" if self.per in _UNITS else self.per

    @property
    def shown(self) -> str:
        """The amount for callers on no plan of the list, in words."""
        return self.amount(self.limit) if self.limit is not None else "an amount by plan"

    def amount(self, value: int) -> str:
        """So much of it, in words."""
        return dollars(value) if self.is_money else f"{value:,} tokens"

    def window(self, now: datetime) -> Window | None:
        """The time that is under way, as the gateway counts it; nothing when only that can tell."""
        if self.per in _UNITS:
            return _of_calendar(self.per, self.zone, now)
        found = _LENGTH.fullmatch(self.per)
        length = int(found[1]) * _SIZES[found[2]] if found else 0
        if not length or length % SHORTEST:
            return None
        start = int(now.timestamp()) // length * length
        return Window(start, start + length)


def purses(catalogue: Catalogue) -> list[Purse]:
    """Every budget and limit of tokens that is served, each once, whatever routes it holds for."""
    found: dict[tuple[str, str], tuple[Policy, set[tuple[str, str, str]]]] = {}
    for api in catalogue.apis:
        for version in api.versions:
            for route in version.routes:
                for policy in route.policies:
                    if policy.kind in KINDS:
                        key = (policy.origin, policy.id)
                        found.setdefault(key, (policy, set()))[1].add((api.name, version.name, route.id))
    return [_purse(policy, frozenset(routes)) for policy, routes in found.values()]


def _purse(policy: Policy, routes: frozenset[tuple[str, str, str]]) -> Purse:
    said = policy.settings
    limit = said.get("limit")
    return Purse(
        policy.kind,
        policy.id,
        policy.origin,
        policy.mode,
        None if limit is None else _amount(limit),
        {str(plan): _amount(value) for plan, value in (said.get("by_plan") or {}).items()},
        str(said["per"]),
        str(said.get("time_zone") or "UTC"),
        str(said.get("by") or "application"),
        routes,
    )


def _amount(written: Any) -> int:  # noqa: ANN401 - what a document says
    """Millionths of a dollar of `50 USD`, else a number as it is."""
    if isinstance(written, int):
        return written
    return round(float(str(written).removesuffix("USD").strip()) * MICROS)


def _of_calendar(unit: str, zone: str, now: datetime) -> Window | None:
    try:
        here = now.astimezone(ZoneInfo(zone))
    except (KeyError, ValueError, OSError):
        # The gateway has time zones of its own; this machine may lack some.
        return None
    day = here.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "hour":
        start = here.replace(minute=0, second=0, microsecond=0)
        return Window(_second(start), _second(start) + 3_600)
    if unit == "day":
        return Window(_second(day), _second(day + timedelta(days=1)))
    if unit == "week":
        monday = day - timedelta(days=day.weekday())
        return Window(_second(monday), _second(monday + timedelta(days=7)))
    first = day.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return Window(_second(first), _second(following))


def _second(local: datetime) -> int:
    return int(local.astimezone(UTC).timestamp())
