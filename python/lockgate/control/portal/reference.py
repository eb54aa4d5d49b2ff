"""An OpenAPI document (3.0 to 3.2) as the reference shows it. References are followed within the document."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable

Json = dict[str, Any]
_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
_MOST_HOPS: Final = 20
"""Of references that lead to references."""
MOST_OPERATIONS: Final = 5_000
OTHER: Final = "Other"
"""The group of operations that have no tag."""


@dataclass(frozen=True)
class Operation:
    """Something that can be called."""

    name: str
    """Its part of an address, which no other operation has."""
    method: str
    path: str
    """As the document has it."""
    said: Json
    shared: Json
    """What the document says of its path."""

    @property
    def summary(self) -> str:
        """What it does, in a line."""
        return text_of(self.said.get("summary")) or text_of(self.shared.get("summary"))

    @property
    def description(self) -> str:
        """More, in Markdown."""
        return text_of(self.said.get("description")) or text_of(self.shared.get("description"))

    @property
    def is_deprecated(self) -> bool:
        """Whether it should not be used any more."""
        return self.said.get("deprecated") is True

    @property
    def tags(self) -> list[str]:
        """The groups that it is in."""
        return [tag for tag in list_of(self.said.get("tags")) if isinstance(tag, str)] or [OTHER]

    @property
    def text(self) -> str:
        """Everything to search in."""
        return " ".join((self.name, self.summary, self.description, *self.tags))


@dataclass(frozen=True)
class Parameter:
    """A parameter of an operation."""

    name: str
    place: str
    """`path`, `query`, `header` or `cookie`."""
    is_required: bool
    is_deprecated: bool
    description: str
    schema: Any
    example: Any
    """Nothing, when none is given."""


@dataclass(frozen=True)
class Media:
    """One way to write a body."""

    type: str
    schema: Any
    examples: tuple[tuple[str, Any], ...]
    """What each shows, and the value."""

    @property
    def is_json(self) -> bool:
        """Whether it is written in JSON."""
        return is_json(self.type)


@dataclass(frozen=True)
class Body:
    """What is sent."""

    description: str
    is_required: bool
    media: tuple[Media, ...]


@dataclass(frozen=True)
class Response:
    """What comes back."""

    status: str
    description: str
    headers: tuple[Parameter, ...]
    media: tuple[Media, ...]


@dataclass(frozen=True)
class Scheme:
    """How callers prove who they are, as the document says."""

    name: str
    what: str
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Operations with a tag."""

    name: str
    description: str
    operations: tuple[Operation, ...]


class Reference:
    """An OpenAPI document.

    Args:
        spec: The document, read.
    """

    def __init__(self, spec: Json) -> None:
        self.spec = spec
        info = dict_of(spec.get("info"))
        self.title = text_of(info.get("title"))
        self.about = text_of(info.get("description")) or text_of(info.get("summary"))
        self.release = text_of(info.get("version"))

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """Every operation, in the document's order."""
        found: list[Operation] = []
        names: set[str] = set()
        for path, item in dict_of(self.spec.get("paths")).items():
            shared = dict_of(self.resolve(item))
            more = dict_of(shared.get("additionalOperations"))
            for method, said in [*((one, shared.get(one)) for one in _METHODS), *more.items()]:
                if not isinstance(said, dict) or len(found) >= MOST_OPERATIONS:
                    continue
                name = _name(said.get("operationId"), method, path, names)
                names.add(name)
                found.append(Operation(name, method.upper(), path, said, shared))
        return tuple(found)

    @cached_property
    def _by_name(self) -> dict[str, Operation]:
        return {one.name: one for one in self.operations}

    def operation(self, name: str) -> Operation | None:
        """An operation by its name."""
        return self._by_name.get(name)

    def groups(self, operations: Iterable[Operation]) -> list[Group]:
        """Operations by their first tag, tags in the document's order."""
        described = {
            tag["name"]: text_of(tag.get("description"))
            for tag in list_of(self.spec.get("tags"))
            if isinstance(tag, dict) and isinstance(tag.get("name"), str)
        }
        by_tag: dict[str, list[Operation]] = {name: [] for name in described}
        for one in operations:
            by_tag.setdefault(one.tags[0], []).append(one)
        return [Group(name, described.get(name, ""), tuple(of)) for name, of in by_tag.items() if of]

    @cached_property
    def schemas(self) -> dict[str, Any]:
        """The schemas that have a name."""
        return dict_of(dict_of(self.spec.get("components")).get("schemas"))

    def resolve(self, said: Any) -> Any:  # noqa: ANN401 - whatever a document holds
        """What a reference leads to; what is none as it is, and what leads nowhere as nothing."""
        for _ in range(_MOST_HOPS):
            if not isinstance(said, dict) or not isinstance(said.get("$ref"), str):
                return said
            beside = {name: value for name, value in said.items() if name != "$ref"}
            found = self._at(said["$ref"])
            if not isinstance(found, dict) or not beside or isinstance(found.get("$ref"), str):
                said = found
            else:
                # OpenAPI 3.1 lets summary, description and, in schemas, keywords stand beside.
                said = {**found, **beside}
        return None

    def _at(self, pointer: str) -> Any:  # noqa: ANN401
        if pointer != "#" and not pointer.startswith("#/"):
            return None
        found: Any = self.spec
        for part in pointer[2:].split("/") if pointer != "#" else ():
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict):
                found = found.get(key)
            elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            else:
                return None
        return found

    def parameters(self, operation: Operation) -> list[Parameter]:
        """Those of the path and of the operation; the latter stand before the former of the same name."""
        by_place: dict[tuple[str, str], Parameter] = {}
        for said in [
            *list_of(operation.shared.get("parameters")),
            *list_of(operation.said.get("parameters")),
        ]:
            one = dict_of(self.resolve(said))
            name, place = text_of(one.get("name")), text_of(one.get("in"))
            if name and place in _PLACES:
                by_place[place, name] = self._parameter(name, place, one)
        order = {place: number for number, place in enumerate(_PLACES)}
        return sorted(by_place.values(), key=lambda one: order[one.place])

    def _parameter(self, name: str, place: str, said: Json) -> Parameter:
        schema = said.get("schema")
        if schema is None:
            # A parameter may be written as one media type instead.
            schema = next((dict_of(one).get("schema") for one in dict_of(said.get("content")).values()), {})
        examples = self._examples(said)
        return Parameter(
            name=name,
            place=place,
            is_required=said.get("required") is True,
            is_deprecated=said.get("deprecated") is True,
            description=text_of(said.get("description")),
            schema=schema,
            example=examples[0][1] if examples else None,
        )

    def body(self, operation: Operation) -> Body | None:
        """What an operation takes, when it takes any."""
        said = self.resolve(operation.said.get("requestBody"))
        if not isinstance(said, dict):
            return None
        return Body(text_of(said.get("description")), said.get("required") is True, self._media(said))

    def responses(self, operation: Operation) -> list[Response]:
        """What an operation answers, successes first."""
        found = []
        for status, one in dict_of(operation.said.get("responses")).items():
            said = dict_of(self.resolve(one))
            headers = tuple(
                self._parameter(name, "header", dict_of(self.resolve(header)))
                for name, header in dict_of(said.get("headers")).items()
            )
            description = text_of(said.get("description")) or text_of(said.get("summary"))
            found.append(Response(str(status), description, headers, self._media(said)))
        return sorted(found, key=lambda one: (one.status == "default", one.status))

    def security(self, operation: Operation) -> list[list[Scheme]]:
        """The ways to be known, one of which is enough; what is in one list is needed together."""
        said = operation.said.get("security", self.spec.get("security"))
        return [
            [self._scheme(name, scopes) for name, scopes in dict_of(way).items()]
            for way in list_of(said)
            if isinstance(way, dict)
        ]

    def _scheme(self, name: str, scopes: Any) -> Scheme:  # noqa: ANN401
        schemes = dict_of(dict_of(self.spec.get("components")).get("securitySchemes"))
        said = dict_of(self.resolve(schemes.get(name)))
        kind = said.get("type")
        if kind == "apiKey":
            what = f"a key in the {text_of(said.get('in'))} `{text_of(said.get('name'))}`"
        elif kind == "http":
            what = f"`Authorization: {text_of(said.get('scheme')).capitalize()}`"
        elif kind in {"oauth2", "openIdConnect"}:
            what = "an access token in `Authorization: Bearer`"
        elif kind == "mutualTLS":
            what = "a client certificate"
        else:
            what = f"`{name}`"
        return Scheme(name, what, tuple(one for one in list_of(scopes) if isinstance(one, str)))

    def _media(self, said: Json) -> tuple[Media, ...]:
        found = []
        for name, one in dict_of(said.get("content")).items():
            media = dict_of(self.resolve(one))
            found.append(Media(name, media.get("schema"), self._examples(media)))
        # What our forms and samples can write comes first.
        return tuple(sorted(found, key=lambda one: not one.is_json))

    def _examples(self, said: Json) -> tuple[tuple[str, Any], ...]:
        found = []
        for name, one in dict_of(said.get("examples")).items():
            example = dict_of(self.resolve(one))
            if "value" in example or "dataValue" in example:
                value = example.get("value", example.get("dataValue"))
                found.append((text_of(example.get("summary")) or name, value))
        if "example" in said:
            found.insert(0, ("Example", said["example"]))
        return tuple(found[:20])


_PLACES: Final = ("path", "query", "header", "cookie")


def is_json(media_type: str) -> bool:
    """Whether a media type is JSON."""
    bare = media_type.partition(";")[0].strip().lower()
    return bare == "application/json" or bare.endswith("+json")


def dict_of(said: Any) -> Json:  # noqa: ANN401 - a document may hold anything anywhere
    """An object; an empty one for anything else."""
    return said if isinstance(said, dict) else {}


def list_of(said: Any) -> list[Any]:  # noqa: ANN401
    """A list; an empty one for anything else."""
    return said if isinstance(said, list) else []


def text_of(said: Any) -> str:  # noqa: ANN401
    """A text; an empty one for anything else."""
    return said if isinstance(said, str) else ""


def _name(wanted: Any, method: str, path: str, taken: set[str]) -> str:  # noqa: ANN401
    text = wanted if isinstance(wanted, str) and wanted else f"{method}-{path}"
    name = re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.")[:100] or method.lower()
    number, unique = 1, name
    while unique in taken:
        number += 1
        unique = f"{name}-{number}"
    return unique
