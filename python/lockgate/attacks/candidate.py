"""The document to attack, as the engine reads it: routes with their effective policies."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Literal

from lockgate import _engine
from lockgate.attacks.findings import Place  # noqa: TC001 - models need it when they run
from lockgate.models import Model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

BODY_METHODS = ("POST", "PUT", "PATCH")
SAMPLE = "7"
"""What stands for a variable of a path."""


class Policy(Model):
    """An effective policy; `declared` is what the document says of it."""

    id: str
    kind: str
    phase: str
    origin: str
    mode: Literal["enforce", "shadow", "off"]
    share: int
    on_error: Literal["deny", "allow"]
    place: Place
    declared: dict[str, Any]

    @property
    def enforced(self) -> bool:
        """Whether it acts on every caller."""
        return self.mode == "enforce" and self.share >= 10_000

    @property
    def when(self) -> str | None:
        """Its condition."""
        when: str | None = self.declared.get("when")
        return when

    def alternatives(self) -> list[dict[str, Any]]:
        """The ways to identify that it takes: its own declaration, or those of an `any_of`."""
        return list(self.declared["of"]) if self.kind == "any_of" else [self.declared]


class Route(Model):
    """A route; the one called `*` stands for what no other takes."""

    api: str
    version: str
    id: str
    path: str
    methods: list[str]
    hosts: list[str]
    headers: list[tuple[str, str | None]]
    upstreams: list[str]
    aggregate: bool
    strip: int
    place: Place | None
    policies: list[Policy]

    @property
    def name(self) -> str:
        """The route for people."""
        return f"{self.api}/{self.version} {self.id}"

    @property
    def variables(self) -> list[str]:
        """The variables of its path, without the rest."""
        return re.findall(r"\{([^*}]+)\}", self.path)

    def of(self, *kinds: str) -> list[Policy]:
        """Its policies of some kinds, whatever their mode."""
        return [policy for policy in self.policies if policy.kind in kinds]

    def enforces(self, *kinds: str) -> bool:
        """Whether a policy of one of these kinds acts on all its requests."""
        return any(policy.enforced and policy.when is None for policy in self.of(*kinds))

    def phase(self, phase: str) -> list[Policy]:
        """Its policies of a phase, whatever their mode."""
        return [policy for policy in self.policies if policy.phase == phase]

    @property
    def identifies(self) -> bool:
        """Whether it acts on callers who are not identified."""
        return any(policy.enforced for policy in self.phase("identify"))

    @property
    def method(self) -> str:
        """A method that it takes, one without side effects when there is one."""
        return "GET" if not self.methods or "GET" in self.methods else self.methods[0]

    @property
    def body_method(self) -> str | None:
        """A method that it takes and that has a body."""
        taken = self.methods or list(BODY_METHODS)
        return next((method for method in BODY_METHODS if method in taken), None)

    def sample_path(self, value: str = SAMPLE) -> str:
        """A path that it takes."""
        return re.sub(r"\{[^}]*\}", value, self.path)

    @property
    def host(self) -> str:
        """A host that it answers to."""
        return self.hosts[0].replace("*", "sandbox") if self.hosts else "sandbox.test"


class Candidate:
    """A document with its routes.

    Raises:
        ProblemsError: The document has errors.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        outline = json.loads(_engine.outline(path))
        self.file = str(path)
        self.revision: str = outline["id"]
        self.document: dict[str, Any] = outline["document"]
        self.base: str = outline["base"]
        self.routes = _distinct([Route.model_validate(route) for route in outline["routes"]])
        self.descriptions: dict[tuple[str, str], dict[str, Any]] = {
            (api, version): description for api, version, description in outline["descriptions"]
        }

    def siblings(self, route: Route) -> list[Route]:
        """The other routes of its API."""
        return [other for other in self.routes if other.api == route.api and other is not route]


def _distinct(routes: list[Route]) -> list[Route]:
    """What is not listed stands in two routes, for the base and for what is below; one is enough."""
    seen: set[tuple[str, str, str]] = set()
    found = []
    for route in routes:
        key = (route.api, route.version, route.id)
        if key not in seen:
            seen.add(key)
            found.append(route)
    return found


def declared_policies(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every policy that a document declares, with those within `any_of`."""
    scopes = [document]
    for api in document.get("apis", {}).values():
        scopes.append(api)
        for version in api.get("versions", {}).values():
            scopes.extend([version, *version.get("routes", [])])
    for scope in scopes:
        for policy in scope.get("policies", []):
            yield policy
            yield from policy.get("of", []) if policy.get("kind") == "any_of" else []
