"""Sample requests for an operation of an OpenAPI document."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

if TYPE_CHECKING:
    from lockgate.attacks.candidate import Route

_MOST_DEPTH = 12
_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "email": "sandbox@example.com",
    "uuid": "7f9c2e4a-1b3d-4e5f-8a6b-0c1d2e3f4a5b",
    "uri": "https://example.com/",
    "ipv4": "192.0.2.7",
}


@dataclass(frozen=True)
class Operation:
    """An operation, with its document for references."""

    document: dict[str, Any]
    item: dict[str, Any]
    operation: dict[str, Any]
    template: str
    base: str

    @classmethod
    def find(cls, document: dict[str, Any], route: Route, method: str, base: str) -> Self | None:
        """The operation that a sample request of a route belongs to; any, for what is not listed."""
        below = re.sub(r"\{[^}]*\}", "{}", route.path.removeprefix(base)) or "/"
        loose = "*" in route.path
        for template, item in document.get("paths", {}).items():
            same = re.sub(r"\{[^}]*\}", "{}", template) == below
            operation = item.get(method.lower()) if isinstance(item, dict) else None
            if (same or loose) and isinstance(operation, dict):
                return cls(document, item, operation, template, base)
        return None

    def _follow(self, value: Any) -> Any:  # noqa: ANN401
        for _ in range(_MOST_DEPTH):
            if not isinstance(value, dict) or not str(value.get("$ref", "")).startswith("#/"):
                return value
            found: Any = self.document
            for step in value["$ref"][2:].split("/"):
                found = found.get(step.replace("~1", "/").replace("~0", "~"), {})
            value = found
        return {}

    def _parameters(self, place: str, *, required: bool = True) -> list[tuple[str, str]]:
        found: dict[str, str] = {}
        for raw in [*self.item.get("parameters", []), *self.operation.get("parameters", [])]:
            parameter = self._follow(raw)
            if parameter.get("in") == place and (parameter.get("required") or not required):
                value = parameter.get("example", self.sample(parameter.get("schema", {})))
                text = value if isinstance(value, str) else json.dumps(value)
                found[parameter["name"]] = text
        return list(found.items())

    def path(self, route: Route) -> str:
        """A path of the operation."""
        values = dict(self._parameters("path", required=False))
        path = re.sub(r"\{([^}]*)\}", lambda name: quote(values.get(name[1], "7"), safe=""), self.template)
        return self.base + path if route.path.startswith(self.base) else route.sample_path()

    @property
    def query(self) -> list[str]:
        """The parameters of the query that are required."""
        return [f"{quote(name)}={quote(value)}" for name, value in self._parameters("query")]

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The fields that are required."""
        return self._parameters("header")

    def schema(self) -> dict[str, Any] | None:
        """The schema of JSON bodies."""
        content = self._follow(self.operation.get("requestBody", {})).get("content", {})
        media = next((value for name, value in content.items() if "json" in name), None)
        return self._follow(media.get("schema", {})) if media is not None else None

    def body(self) -> tuple[bytes, str]:
        """A body with its type; both empty when the operation takes none."""
        content = self._follow(self.operation.get("requestBody", {})).get("content", {})
        for name, media in content.items():
            if "json" in name:
                value = media.get("example", self.sample(media.get("schema", {})))
                return json.dumps(value).encode(), name
        return b"", ""

    def sample(self, raw: Any, depth: int = 0) -> Any:  # noqa: ANN401, PLR0911, PLR0912
        """A value that a schema allows, as far as one can tell without solving it."""
        schema = self._follow(raw)
        if not isinstance(schema, dict) or depth > _MOST_DEPTH:
            return {}
        for name in ("example", "const", "default"):
            if name in schema:
                return schema[name]
        for name in ("examples", "enum"):
            if isinstance(schema.get(name), list) and schema[name]:
                return schema[name][0]
        for name in ("oneOf", "anyOf"):
            if schema.get(name):
                return self.sample(schema[name][0], depth + 1)
        if schema.get("allOf"):
            merged: dict[str, Any] = {}
            for one in schema["allOf"]:
                value = self.sample(one, depth + 1)
                merged |= value if isinstance(value, dict) else {}
            return merged
        sort = schema.get("type", "object" if "properties" in schema else "string")
        sort = next((one for one in sort if one != "null"), "string") if isinstance(sort, list) else sort
        match sort:
            case "object":
                wanted = schema.get("required", [])
                known = schema.get("properties", {})
                return {name: self.sample(known.get(name, {}), depth + 1) for name in wanted}
            case "array":
                return [
                    self.sample(schema.get("items", {}), depth + 1) for _ in range(schema.get("minItems", 0))
                ]
            case "integer" | "number":
                least = schema.get("minimum", schema.get("exclusiveMinimum"))
                return int(least) + 1 if isinstance(least, int | float) else 1
            case "boolean":
                return True
            case "null":
                return None
        text: str = _FORMATS.get(
            schema.get("format", ""), "7" * max(1, min(schema.get("minLength", 1), 1_000))
        )
        return text
