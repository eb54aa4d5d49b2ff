"""What is served, as the node serves it; of what is only proposed the catalogue says nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import yaml

from lockgate.control import node
from lockgate.control.accounts.errors import UnknownError
from lockgate.control.portal import words
from lockgate.control.portal.served import read_catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.control.portal.catalogue import Api, Policy, Route, Version

READ = "changes:read"
"""Whoever sees what is proposed sees what is served."""
WHOLE: Final = "gateway"
MOST_CHARACTERS: Final = 400
"""Of one setting on a page: lists of addresses can be long."""
_SCOPES: Final = {"gateway": "the whole gateway", "api": "API", "version": "version", "route": "route"}


@dataclass(frozen=True)
class Effective:
    """A policy as it holds for a route."""

    policy: Policy
    place: int
    """Its turn among those of its route, from 1; 0 when it is switched off."""

    @property
    def says(self) -> list[str]:
        """What it asks of callers, in sentences; nothing when they do not notice it."""
        return words.sentences(self.policy)

    @property
    def declared_for(self) -> str:
        """Where it is declared, for people."""
        return in_words(self.policy.origin)

    @property
    def settings(self) -> list[str]:
        """Its settings as they are declared, one a line; what is long is cut."""
        return [f"{name}: {_written(value)}" for name, value in self.policy.settings.items()]

    @property
    def mode(self) -> str:
        """Its mode, and for what share of callers."""
        share = self.policy.share / 100
        return self.policy.mode if share == 100 else f"{self.policy.mode}, {share:g} % of callers"


@dataclass
class Declared:
    """A policy where it is declared, and for how much it holds."""

    policy: Policy
    routes: int = 0
    versions: set[tuple[str, str]] = field(default_factory=set)
    """API and version of each."""

    @property
    def is_of_all(self) -> bool:
        """Whether it is declared for everything that is served."""
        return self.policy.origin == WHOLE

    @property
    def names(self) -> list[tuple[str, str]]:
        """API and version of each, in their order."""
        return sorted(self.versions)

    @property
    def declared_for(self) -> str:
        """Where it is declared, for people."""
        return in_words(self.policy.origin)


@dataclass(frozen=True)
class Target:
    """A member of a pool."""

    address: str
    is_healthy: bool
    in_flight: int


@dataclass(frozen=True)
class Service:
    """An upstream, and how it is by what its node says now."""

    name: str
    targets: tuple[Target, ...]
    is_open: bool
    """Whether its circuit is open, so that nothing is sent to it."""
    versions: tuple[str, ...]
    """The versions of APIs that it answers."""

    @property
    def healthy(self) -> int:
        """How many targets are."""
        return sum(one.is_healthy for one in self.targets)

    @property
    def is_whole(self) -> bool:
        """Whether all of it works."""
        return self.healthy == len(self.targets) and not self.is_open


def every() -> list[Api]:
    """The APIs that are served."""
    return read_catalogue().apis


def find(api: str, version: str) -> tuple[Api, Version]:
    """A version of an API.

    Raises:
        UnknownError: None of this name is served.
    """
    found = read_catalogue().api(api)
    if found is None:
        known = ", ".join(sorted(one.name for one in every())) or "none yet"
        message = f"no API `{api[:80]}` is served; there are: {known}"
        raise UnknownError(message)
    one = found.version(version)
    if one is None:
        known = ", ".join(one.name for one in found.versions)
        message = f"`{api}` has no version `{version[:80]}`; there are: {known}"
        raise UnknownError(message)
    return found, one


def effective(route: Route) -> list[Effective]:
    """The policies of a route in their order, and at last those that are switched off."""
    on = [Effective(one, place) for place, one in enumerate(route.policies, start=1)]
    return on + [Effective(one, 0) for one in route.off]


def declared() -> list[Declared]:
    """Every policy once, by where it is declared: what holds for all before what holds for some."""
    found: dict[tuple[str, str], Declared] = {}
    for version, route in _routes():
        for policy in (*route.policies, *route.off):
            one = found.setdefault((policy.origin, policy.id), Declared(policy))
            one.routes += 1
            one.versions.add((version.api, version.name))
    return sorted(found.values(), key=lambda one: (one.policy.origin != WHOLE, one.policy.origin))


def services() -> list[Service] | None:
    """The upstreams as the node says they are; nothing while it does not answer."""
    stats = node.stats()
    if stats is None:
        return None
    answers: dict[str, set[str]] = {}
    for version, route in _routes():
        for name in route.upstreams:
            answers.setdefault(name, set()).add(f"{version.api}/{version.name}")
    return [
        Service(name, _targets(said), bool(said.get("circuit_open")), _answered(name, answers))
        for name, said in stats.get("upstreams", {}).items()
    ]


def in_words(origin: str) -> str:
    """Where a policy is declared, for people."""
    scope, _, name = origin.partition(" ")
    return f"{_SCOPES.get(scope, scope)} {name}".strip()


def label(route: Route) -> str:
    """What a route takes, which tells it apart from the others of its version."""
    fields = [f"{name}={value}" for name, value in route.fields]
    return " ".join([",".join(route.methods) or "ANY", route.path, *fields])


def _written(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=100_000, sort_keys=False)
    # A scalar alone is followed by the end of its document.
    text = text.removesuffix("...\n").strip()
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"


def _routes() -> Iterable[tuple[Version, Route]]:
    return ((version, route) for api in every() for version in api.versions for route in version.routes)


def _answered(name: str, answers: dict[str, set[str]]) -> tuple[str, ...]:
    # A model has a service of its own for each of its providers, such as `fast/openai`.
    return tuple(sorted(answers.get(name) or answers.get(name.partition("/")[0]) or ()))


def _targets(said: dict[str, Any]) -> tuple[Target, ...]:
    return tuple(
        Target(str(one.get("address", "")), bool(one.get("healthy")), int(one.get("requests_in_flight", 0)))
        for one in said.get("targets", [])
    )
