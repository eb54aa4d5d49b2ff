"""The catalogue: APIs, their versions and routes, and what policies ask of callers, out of plain data.

What is shown is made of one JSON object, the content: the node's document gives it, and the database keeps
the last one, so that the catalogue is there while the node or its document is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lockgate.control.portal.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Iterable

Json = dict[str, Any]


@dataclass(frozen=True)
class Policy:
    """A policy as it holds for a route."""

    id: str
    kind: str
    mode: str
    share: int
    """Of callers, in ten-thousandths."""
    settings: Json
    """As they are declared."""
    origin: str = ""
    """Where it is declared, such as `api orders`."""
    purpose: Json = field(default_factory=dict, compare=False)
    """Why it is there, who answers for it and how one sees that it works; for those who run the gateway."""

    @property
    def is_enforced(self) -> bool:
        """Whether it refuses anybody."""
        return self.mode == "enforce"


@dataclass(frozen=True)
class Route:
    """Requests that are alike."""

    id: str
    path: str
    """With `{variables}`, from the root."""
    methods: tuple[str, ...]
    """Any, when there is none."""
    fields: tuple[tuple[str, str], ...]
    """Header fields that a request must have."""
    policies: tuple[Policy, ...]
    upstreams: tuple[str, ...]
    """What answers, which callers are never told."""
    off: tuple[Policy, ...] = field(default=(), compare=False)
    """Policies that are switched off, which is nothing to callers."""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What its paths look like."""
        parts = re.split(r"(\{\*?[^{}]*\})", self.path)
        return re.compile(
            "".join(
                (".+" if part.startswith("{*") else "[^/]+") if part.startswith("{") else re.escape(part)
                for part in parts
            ),
            re.DOTALL,
        )

    def takes(self, method: str, path: str) -> bool:
        """Whether it may take such a request, as far as method and path say."""
        by_method = not self.methods or method in self.methods
        return by_method and (self.path == path or self.pattern.fullmatch(path) is not None)


@dataclass(frozen=True)
class Deprecation:
    """The end of a version."""

    since: datetime
    sunset: datetime | None
    successor: str
    docs: str
    """A page about it; a URL or nothing."""

    @property
    def is_over(self) -> bool:
        """Whether its end has passed."""
        return self.sunset is not None and self.sunset <= datetime.now(UTC)

    @property
    def days_left(self) -> int:
        """How many whole days are left; 0 when its end is not known, or near."""
        return max(0, (self.sunset - datetime.now(UTC)).days) if self.sunset else 0


@dataclass(frozen=True)
class Version:
    """A version of an API."""

    api: str
    name: str
    base: str
    hosts: tuple[str, ...]
    routes: tuple[Route, ...]
    openapi: Json | None
    models: tuple[str, ...] = ()
    """The models that its callers may name."""

    @cached_property
    def reference(self) -> Reference | None:
        """What its OpenAPI document says; nothing when there is none."""
        return Reference(self.openapi) if self.openapi else None

    @cached_property
    def deprecation(self) -> Deprecation | None:
        """How it ends, when it does."""
        for policy in self.everywhere:
            if policy.kind == "deprecation" and policy.is_enforced and "since" in policy.settings:
                said = policy.settings
                docs = str(said.get("docs") or "")
                return Deprecation(
                    since=_moment(said["since"]),
                    sunset=_moment(said["sunset"]) if said.get("sunset") else None,
                    successor=str(said.get("successor") or ""),
                    docs=docs if docs.startswith("https://") else "",
                )
        return None

    @property
    def everywhere(self) -> tuple[Policy, ...]:
        """The policies that hold for each of its routes."""
        if not self.routes:
            return ()
        first, *others = self.routes
        return tuple(one for one in first.policies if all(one in other.policies for other in others))

    def path(self, path: str) -> str:
        """A path of its OpenAPI document, from the root of the host."""
        return f"{self.base.rstrip('/')}{path}" or "/"

    def route_of(self, method: str, path: str) -> Route | None:
        """The route that takes such a request: the one whose path says the most."""
        fitting = [route for route in self.routes if route.takes(method, path)]
        fitting.sort(key=lambda route: (len(route.fields), route.path.count("{"), "{*" in route.path))
        return fitting[0] if fitting else None


@dataclass(frozen=True)
class Guide:
    """A text in Markdown about an API."""

    name: str
    title: str
    text: str


@dataclass(frozen=True)
class Api:
    """An API."""

    name: str
    title: str
    guides: tuple[Guide, ...]
    versions: tuple[Version, ...]
    """The newest first."""

    @cached_property
    def current(self) -> Version:
        """The version for those who begin now: the newest that does not end."""
        lasting = [version for version in self.versions if version.deprecation is None]
        return (lasting or list(self.versions))[0]

    @property
    def about(self) -> str:
        """What it is, in Markdown; empty when its document does not say."""
        reference = self.current.reference
        return reference.about if reference else ""

    def version(self, name: str) -> Version | None:
        """A version by its name."""
        return next((one for one in self.versions if one.name == name), None)

    def guide(self, name: str) -> Guide | None:
        """A guide by its name."""
        return next((one for one in self.guides if one.name == name), None)


@dataclass(frozen=True)
class Hit:
    """Something that a search found."""

    kind: str
    title: str
    about: str
    route: str
    """The name of the page's route."""
    names: tuple[str, ...]


class Catalogue:
    """Every API.

    Args:
        content: The plain data of all of them.
    """

    def __init__(self, content: Json) -> None:
        self.apis = sorted(
            (_api(name, said) for name, said in content["apis"].items()),
            # What nobody described comes last.
            key=lambda api: (api.current.openapi is None and not api.guides, api.title.lower()),
        )

    def api(self, name: str) -> Api | None:
        """An API by its name."""
        return next((one for one in self.apis if one.name == name), None)

    def search(self, query: str, most: int = 50) -> list[Hit]:
        """What has all words of a query, titles before texts."""
        words = query.lower().split()[:10]
        if not words:
            return []
        ranked: list[tuple[int, int, Hit]] = []
        for hit, text in self._texts():
            title, all_of_it = hit.title.lower(), f"{hit.title} {hit.about} {text}".lower()
            if all(word in all_of_it for word in words):
                ranked.append((sum(word not in title for word in words), len(ranked), hit))
        return [hit for _, _, hit in sorted(ranked, key=lambda one: one[:2])[:most]]

    def _texts(self) -> Iterable[tuple[Hit, str]]:
        for api in self.apis:
            yield (
                Hit("API", api.title, first_line(api.about), "portal_api", (api.name,)),
                api.name + api.about,
            )
        for api in self.apis:
            for guide in api.guides:
                about = f"Guide of {api.title}"
                yield Hit("Guide", guide.title, about, "portal_guide", (api.name, guide.name)), guide.text
            for version in api.versions:
                for one in version.reference.operations if version.reference else ():
                    title = f"{one.method} {version.path(one.path)}"
                    names = (api.name, version.name, one.name)
                    yield Hit("Operation", title, one.summary, "portal_operation", names), one.text


def content(outline: Json, guides: dict[str, list[Json]]) -> Json:
    """The content out of a document's outline, and the guides of each API."""
    described = {(api, version): said for api, version, said in outline["descriptions"]}
    switched_off = _switched_off(outline["document"])
    found: Json = {}
    for name, api in (outline["document"].get("apis") or {}).items():
        versions = {}
        for version, said in api["versions"].items():
            routes = [one for one in outline["routes"] if (one["api"], one["version"]) == (name, version)]
            versions[version] = {
                "base": said["base"],
                "hosts": api.get("hosts") or [],
                "openapi": described.get((name, version)),
                "models": said.get("models") or [],
                "routes": [_route_content(one, switched_off) for one in routes],
            }
        found[name] = {
            "title": api.get("title") or name,
            "guides": guides.get(name, []),
            "versions": versions,
        }
    return {"apis": found}


def first_line(text: str) -> str:
    """The first paragraph of a text, on one line."""
    return " ".join(text.strip().partition("\n\n")[0].split())[:300]


def _route_content(route: Json, switched_off: dict[str, list[Json]]) -> Json:
    version = f"{route['api']}/{route['version']}"
    origins = ("gateway", f"api {route['api']}", f"version {version}", f"route {version} {route['id']}")
    taken = {name: route[name] for name in ("id", "path", "methods", "upstreams")}
    return {
        **taken,
        "fields": route["headers"],
        "policies": [_policy_content(one) for one in route["policies"]],
        "off": [one for origin in origins for one in switched_off.get(origin, ())],
    }


def _switched_off(document: Json) -> dict[str, list[Json]]:
    """Policies that are off, by where they are declared: no route of an outline has them."""
    declared: dict[str, list[Json]] = {"gateway": document.get("policies") or []}
    for name, api in (document.get("apis") or {}).items():
        declared[f"api {name}"] = api.get("policies") or []
        for version, said in api["versions"].items():
            declared[f"version {name}/{version}"] = said.get("policies") or []
            for route in said.get("routes") or []:
                declared[f"route {name}/{version} {_route_id(route)}"] = route.get("policies") or []
    return {
        origin: [
            _policy_content({**one, "mode": "off", "share": 10_000, "origin": origin, "declared": one})
            for one in policies
            if one.get("mode") == "off"
        ]
        for origin, policies in declared.items()
    }


def _route_id(route: Json) -> str:
    """The id of a route, as an outline gives one to those that have none."""
    match = route.get("match") or {}
    fields = [f"{name}={value}" for name, value in (match.get("headers") or {}).items()]
    said = [",".join(match.get("methods") or []), match.get("path", ""), *fields]
    return str(route.get("id") or " ".join(filter(None, said)))


def _policy_content(policy: Json) -> Json:
    declared = policy["declared"]
    return {
        **{name: policy[name] for name in ("id", "kind", "mode", "share", "origin")},
        # What it is for is the owner's, and shown to nobody else.
        "purpose": declared.get("purpose") or {},
        "settings": {
            name: value
            for name, value in declared.items()
            if name not in {"id", "kind", "mode", "percent", "purpose"}
        },
    }


def _api(name: str, said: Json) -> Api:
    versions = [
        Version(
            api=name,
            name=version,
            base=one["base"],
            hosts=tuple(one["hosts"]),
            routes=tuple(_route(route) for route in one["routes"]),
            openapi=one["openapi"],
            # What an older Lockgate kept does not say it.
            models=tuple(one.get("models", ())),
        )
        for version, one in said["versions"].items()
    ]
    versions.sort(key=lambda version: _natural(version.name), reverse=True)
    return Api(name, said["title"], tuple(Guide(**guide) for guide in said["guides"]), tuple(versions))


def _route(said: Json) -> Route:
    return Route(
        id=said["id"],
        path=said["path"],
        methods=tuple(said["methods"]),
        fields=tuple((name, value) for name, value in said["fields"]),
        policies=tuple(Policy(**one) for one in said["policies"]),
        upstreams=tuple(said["upstreams"]),
        # What an older Lockgate kept does not say it.
        off=tuple(Policy(**one) for one in said.get("off", ())),
    )


def _natural(name: str) -> list[tuple[int, str]]:
    """`v10` after `v9`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.findall(r"\d{1,9}|\D+", name)]


def _moment(text: object) -> datetime:
    said = str(text)
    if len(said) == len("2026-11-01"):
        return datetime.combine(date.fromisoformat(said), time(), UTC)
    return datetime.fromisoformat(said)
