"""JSON Schemas as people read them: fields, types in words, defaults."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reference.markdown import sentence, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Schema = dict[str, Any]

IN_WORDS = {
    "Duration": "time, such as `30s`",
    "ByteSize": "size, such as `64KiB`",
    "Secret": "reference to a secret",
    "Percent": "percent",
    "Anything": "anything",
}
PLAIN = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "object": "mapping",
    "array": "list",
}


@dataclass(frozen=True)
class Types:
    """The types of one schema.

    Args:
        definitions: What `$ref` refers to.
        link: The link to an object with fields of its own, by the name of its definition.
    """

    definitions: dict[str, Schema]
    link: Callable[[str], str]

    def resolve(self, schema: Schema) -> tuple[str | None, Schema]:
        """The name of a definition, when it is one, and what it says."""
        reference = schema.get("$ref")
        if isinstance(reference, str):
            name = reference.rpartition("/")[2]
            return name, self.definitions.get(name, {})
        return None, schema

    def fields(self, schema: Schema) -> str:
        """The fields of an object as a table."""
        required = schema.get("required", [])
        rows = []
        for name, field in schema.get("properties", {}).items():
            what = field.get("description") or self.resolve(_given(field))[1].get("description", "")
            default = "required" if name in required else _default(field)
            rows.append((f"`{name}`", sentence(what), self.words(field), default))
        return table(("field", "what it says", "type", "default"), rows)

    def words(self, schema: Schema) -> str:
        """The type of a field in words."""
        name, given = self.resolve(_given(schema))
        if name == "Policy":
            return self.link(name)
        if name in IN_WORDS:
            return IN_WORDS[name]
        choices = given.get("oneOf") or given.get("anyOf") or []
        values = [given["const"]] if "const" in given else given.get("enum", [])
        if choices and all("const" in choice for choice in choices):
            values = [choice["const"] for choice in choices]
        if values:
            quoted = [f"`{value}`" for value in values]
            return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
        if name is not None and given.get("properties"):
            return self.link(name)
        if choices:
            single = [self.words(choice) for choice in choices if "const" in choice]
            others = [self.words(choice) for choice in choices if "const" not in choice]
            return ", or ".join(dict.fromkeys([*([", ".join(single)] if single else []), *others]))
        return self._plain(given)

    def _plain(self, schema: Schema) -> str:
        kind = schema.get("type")
        if kind == "array" and isinstance(schema.get("items"), dict):
            return f"list of {self.words(schema['items'])}"
        if kind == "object" and schema.get("properties"):
            return f"mapping with {', '.join(f'`{name}`' for name in schema['properties'])}"
        if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
            return f"mapping of names to {self.words(schema['additionalProperties'])}"
        return PLAIN.get(str(kind), "anything")

    def values(self, schema: Schema) -> Iterator[tuple[str, str, str]]:
        """The values of fields that take one of some words: field, value, what it means."""
        for name, field in schema.get("properties", {}).items():
            for value, what in self._meanings(_element(_given(field))):
                yield f"`{name}`", f"`{value}`", sentence(what)

    def _meanings(self, schema: Schema) -> Iterator[tuple[str, str]]:
        """Words, and mappings of one name, that each say what they mean; those of each choice."""
        _, given = self.resolve(schema)
        for value in given.get("oneOf", []):
            names = [*value.get("properties", {})]
            if "description" in value and "const" in value:
                yield value["const"], value["description"]
            elif "description" in value and len(names) == 1:
                yield f"{{ {names[0]}: … }}", value["description"]
        for choice in given.get("anyOf", []):
            yield from self._meanings(_element(choice))

    def children(self, schema: Schema) -> Iterator[tuple[str, str]]:
        """The fields that hold objects, with their definitions; a list has `[]`, names have `NAME`."""
        for name, field in schema.get("properties", {}).items():
            given = _given(field)
            suffix = ""
            if given.get("type") == "array":
                given, suffix = _given(given.get("items", {})), "[]"
            elif isinstance(given.get("additionalProperties"), dict):
                given, suffix = _given(given["additionalProperties"]), ".NAME"
            for choice in self._choices(given):
                yield f"{name}{suffix}", choice

    def _choices(self, schema: Schema) -> Iterator[str]:
        name, given = self.resolve(schema)
        if name is not None and given.get("properties"):
            yield name
        for choice in given.get("anyOf", []) if name != "Policy" else []:
            yield from self._choices(choice)


def _given(schema: Schema) -> Schema:
    """What a field holds when it is there: `null` stands for a field that is not."""
    if isinstance(schema.get("type"), list):
        kinds = [kind for kind in schema["type"] if kind != "null"]
        return {**schema, "type": kinds[0] if len(kinds) == 1 else None}
    choices = [choice for choice in schema.get("anyOf", []) if choice.get("type") != "null"]
    return choices[0] if len(choices) == 1 else schema


def _element(schema: Schema) -> Schema:
    return schema["items"] if isinstance(schema.get("items"), dict) else schema


def _default(schema: Schema) -> str:
    value = schema.get("default")
    if value is None or value in ({}, []):
        return ""
    if isinstance(value, dict):
        return "as below"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"
