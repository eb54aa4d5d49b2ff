"""JSON Schema as types of Python."""

from __future__ import annotations

import keyword
import re
from typing import Any, Final

Schema = dict[str, Any]

_SIMPLE: Final = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_FORMATS: Final = {"date-time": "datetime", "date": "date"}


def class_name(name: str) -> str:
    """The class of a schema."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"\W+|_", name) if part)


def identifier(name: str) -> str:
    """A name that Python takes."""
    found = re.sub(r"\W", "_", name)
    return f"{found}_" if keyword.iskeyword(found) or found in {"model_config", "self"} else found


def type_of(schema: Schema, prefix: str = "") -> str:
    """The type of a schema.

    Args:
        schema: The schema.
        prefix: What stands before names of models, such as `models.`.
    """
    if "$ref" in schema:
        return prefix + class_name(schema["$ref"].rpartition("/")[2])
    # What must be several things at once has no type in Python.
    one = schema["allOf"] if len(schema.get("allOf", ())) == 1 else None
    if parts := schema.get("anyOf") or schema.get("oneOf") or one:
        return " | ".join(dict.fromkeys(type_of(part, prefix) for part in parts))
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return f"Literal[{', '.join(map(repr, values))}]"
    return _plain(schema, prefix)


def _plain(schema: Schema, prefix: str) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(type_of({**schema, "type": one}, prefix) for one in kind)
    if kind == "array":
        return f"list[{type_of(schema.get('items', {}), prefix)}]"
    if kind == "object":
        return f"dict[str, {_values(schema, prefix)}]"
    if kind == "string" and schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    return _SIMPLE.get(str(kind), "Any")


def _values(schema: Schema, prefix: str) -> str:
    more = schema.get("additionalProperties")
    return type_of(more, prefix) if isinstance(more, dict) else "Any"
