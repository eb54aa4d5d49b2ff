"""Schemas as trees that a page can show: bounded, and with links where they turn back into themselves."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lockgate.control.portal.patterns import fitting
from lockgate.control.portal.reference import Json, dict_of, list_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.control.portal.reference import Reference

_MOST_DEPTH: Final = 6
_MOST_NODES: Final = 400
_NAMED: Final = "#/components/schemas/"
_BOUNDS: Final = (
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minimum", "at least {}"),
    ("maximum", "at most {}"),
    ("exclusiveMinimum", "more than {}"),
    ("exclusiveMaximum", "less than {}"),
    ("multipleOf", "a multiple of {}"),
    ("minItems", "at least {} items"),
    ("maxItems", "at most {} items"),
    ("minProperties", "at least {} properties"),
    ("maxProperties", "at most {} properties"),
)


@dataclass
class Node:
    """A value as a schema describes it."""

    name: str
    """Of the property, or what role it has: `each item`, `one of`."""
    type: str
    is_role: bool = False
    is_required: bool = False
    is_deprecated: bool = False
    description: str = ""
    notes: list[str] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)
    named: str = ""
    """The name of the schema, when it has a page of its own."""
    is_cut: bool = False
    """Whether there is more, on the page of that schema."""


class Tree:
    """Makes the tree of one schema.

    Args:
        reference: The document.
        most: How many nodes it has at most.
    """

    def __init__(self, reference: Reference, most: int = _MOST_NODES) -> None:
        self._reference = reference
        self._most = most
        self._nodes = 0

    def of(self, schema: Any, name: str = "", *, is_required: bool = False) -> Node:  # noqa: ANN401
        """The tree."""
        return self._node(schema, name, (), is_required=is_required)

    def _node(
        self,
        schema: Any,  # noqa: ANN401
        name: str,
        above: tuple[str, ...],
        *,
        is_required: bool = False,
        is_role: bool = False,
    ) -> Node:
        self._nodes += 1
        named = _named(schema)
        said = self._reference.resolve(schema)
        if isinstance(said, bool):
            said = {} if said else {"not": {}}
        if not isinstance(said, dict):
            return Node(name, "anything", is_role, is_required, notes=["is described elsewhere"])
        said = self._merged(said)
        node = Node(
            name=name,
            type=_type(said),
            is_role=is_role,
            is_required=is_required,
            is_deprecated=said.get("deprecated") is True,
            description=text_of(said.get("description")) or text_of(said.get("title")),
            notes=_notes(said),
            named=named if named in self._reference.schemas else "",
        )
        if (named and named in above) or len(above) >= _MOST_DEPTH or self._nodes >= self._most:
            node.is_cut = _has_parts(said)
            return node
        self._add_parts(node, said, (*above, named))
        return node

    def _add_parts(self, node: Node, said: Json, above: tuple[str, ...]) -> None:
        for part, name, is_role, is_required in _parts(said):
            if self._nodes >= self._most:
                node.is_cut = True
                return
            child = self._node(part, name, above, is_role=is_role, is_required=is_required)
            node.children.append(child)

    def _merged(self, said: Json) -> Json:
        """With what its `allOf` adds."""
        if not isinstance(said.get("allOf"), list):
            return said
        return self._all_of(said, 0)

    def _all_of(self, said: Json, depth: int) -> Json:
        merged = {name: value for name, value in said.items() if name != "allOf"}
        for part in list_of(said.get("allOf"))[:50]:
            one = self._reference.resolve(part)
            if not isinstance(one, dict):
                continue
            if "allOf" in one and depth < _MOST_DEPTH:
                one = self._all_of(one, depth + 1)
            for name, value in one.items():
                if name == "properties":
                    merged["properties"] = {**dict_of(value), **dict_of(merged.get("properties"))}
                elif name == "required":
                    merged["required"] = [*list_of(merged.get("required")), *list_of(value)]
                else:
                    merged.setdefault(name, value)
        return merged


def _parts(said: Json) -> Iterator[tuple[Any, str, bool, bool]]:
    """What a schema is made of: each part, its name or role, whether it is a role, whether it is required."""
    required = {one for one in list_of(said.get("required")) if isinstance(one, str)}
    for name, part in dict_of(said.get("properties")).items():
        yield part, name, False, name in required
    rest = said.get("additionalProperties")
    if isinstance(rest, dict) and rest:
        yield rest, "any other name", True, False
    for pattern, part in dict_of(said.get("patternProperties")).items():
        yield part, f"names like {pattern}", True, False
    for part in list_of(said.get("prefixItems")):
        yield part, "next item", True, False
    if isinstance(said.get("items"), dict):
        yield said["items"], "each item", True, False
    for word, role in (("oneOf", "either"), ("anyOf", "any of")):
        for part in list_of(said.get(word))[:50]:
            if part != {"type": "null"}:
                yield part, role, True, False


def example(reference: Reference, schema: Any, depth: int = 0) -> Any:  # noqa: ANN401, PLR0911 - values of any kind
    """A value that a schema describes: what it names as an example, else one made up."""
    said = reference.resolve(schema)
    if not isinstance(said, dict) or depth > _MOST_DEPTH:
        return None
    said = Tree(reference)._merged(said)  # noqa: SLF001 - of this file
    for word in ("example", "const", "default"):
        if word in said:
            return said[word]
    for word in ("examples", "enum"):
        if list_of(said.get(word)):
            return said[word][0]
    for word in ("oneOf", "anyOf"):
        for part in list_of(said.get(word)):
            if part != {"type": "null"}:
                return example(reference, part, depth + 1)
    kind = _kinds(said)
    if "object" in kind or "properties" in said:
        required = list_of(said.get("required"))
        parts = {
            name: part
            for name, part in list(dict_of(said.get("properties")).items())[:50]
            if not dict_of(reference.resolve(part)).get("readOnly") and (name in required or depth < 2)
        }
        made = {name: example(reference, part, depth + 1) for name, part in parts.items()}
        return {name: value for name, value in made.items() if value is not None or name in required}
    if "array" in kind:
        one = example(reference, said.get("items"), depth + 1)
        return [] if one is None else [one]
    return _scalar(said, kind)


_BY_FORMAT: Final = {
    "date": "2026-11-25",
    "date-time": "2026-11-25T12:00:00Z",
    "time": "12:00:00Z",
    "email": "ada@example.com",
    "uuid": "3f1c1c3e-8a55-4c9f-9a51-0d2c3f5f7a10",
    "uri": "https://example.com/",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "byte": "bG9ja2dhdGU=",
}


def _scalar(said: Json, kind: list[str]) -> Any:  # noqa: ANN401
    if "integer" in kind or "number" in kind:
        least = said.get("minimum", said.get("exclusiveMinimum"))
        if isinstance(least, (int, float)) and not isinstance(least, bool):
            return least if "minimum" in said else least + 1
        return 1
    if "boolean" in kind:
        return True
    if "string" in kind:
        least = said.get("minLength")
        pattern = fitting(text_of(said.get("pattern")), least if isinstance(least, int) else 0)
        if pattern:
            return pattern
        text = _BY_FORMAT.get(text_of(said.get("format")), "text")
        return text.ljust(least, "x") if isinstance(least, int) and least < 200 else text
    return None


def _named(schema: Any) -> str:  # noqa: ANN401
    reference = dict_of(schema).get("$ref")
    if isinstance(reference, str) and reference.startswith(_NAMED):
        name = reference.removeprefix(_NAMED)
        return name if "/" not in name else ""
    return ""


def _kinds(said: Json) -> list[str]:
    kind = said.get("type")
    kinds = [one for one in list_of(kind) if isinstance(one, str)] or (
        [kind] if isinstance(kind, str) else []
    )
    if said.get("nullable") is True and "null" not in kinds:
        kinds.append("null")
    return kinds


def _type(said: Json) -> str:
    kinds = _kinds(said)
    if not kinds:
        if "properties" in said:
            kinds = ["object"]
        elif "items" in said:
            kinds = ["array"]
        elif "oneOf" in said or "anyOf" in said:
            kinds = []
            if {"type": "null"} in [*list_of(said.get("oneOf")), *list_of(said.get("anyOf"))]:
                return "one of several, or null"
            return "one of several"
        elif "enum" in said or "const" in said:
            return "fixed"
        else:
            return "anything"
    found = " or ".join(kinds)
    return f"{found} ({said['format']})" if isinstance(said.get("format"), str) else found


def _notes(said: Json) -> list[str]:
    notes = [_bound(words, said[word]) for word, words in _BOUNDS if _is_number(said.get(word))]
    if said.get("exclusiveMinimum") is True:
        notes.append("the least itself is not allowed")
    if said.get("exclusiveMaximum") is True:
        notes.append("the greatest itself is not allowed")
    if isinstance(said.get("pattern"), str):
        notes.append(f"like `{said['pattern'].replace('`', '')[:200]}`")
    if "const" in said:
        notes.append(f"always `{_told(said['const'])}`")
    values = list_of(said.get("enum"))
    if values:
        shown = ", ".join(f"`{_told(value)}`" for value in values[:30])
        notes.append(f"one of {shown}{' and more' if len(values) > 30 else ''}")
    if "default" in said:
        notes.append(f"`{_told(said['default'])}` by default")
    for word, note in (
        ("uniqueItems", "no item twice"),
        ("readOnly", "only in answers"),
        ("writeOnly", "only in requests"),
    ):
        if said.get(word) is True:
            notes.append(note)
    if said.get("additionalProperties") is False and "properties" in said:
        notes.append("nothing else")
    discriminator = dict_of(said.get("discriminator"))
    if isinstance(discriminator.get("propertyName"), str):
        notes.append(f"`{discriminator['propertyName']}` tells which")
    return notes


def _bound(words: str, value: float) -> str:
    said = words.format(_told(value))
    return said.removesuffix("ies") + "y" if value == 1 and said.endswith("ies") else _one(said, value)


def _one(said: str, value: float) -> str:
    return said.removesuffix("s") if value == 1 and said.endswith(("characters", "items")) else said


def _has_parts(said: Json) -> bool:
    words = ("properties", "items", "oneOf", "anyOf", "prefixItems", "patternProperties")
    return any(word in said for word in words)


def _is_number(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _told(value: Any) -> str:  # noqa: ANN401
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))[:120].replace("`", "")
