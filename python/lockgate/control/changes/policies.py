"""Policies of a document, one by one: where they stand, and putting another text in the place of one.

Only the text of the policy is replaced: comments and order of all the rest stay as somebody wrote them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from lockgate import _engine
from lockgate.control.changes.errors import ChangeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Where = tuple[str | int, ...]
INDENT = 2


@dataclass(frozen=True)
class Placed:
    """A policy at its place."""

    where: Where
    scope: str
    value: dict[str, Any]

    @property
    def pointer(self) -> str:
        """Its place as a JSON Pointer (RFC 6901)."""
        return pointer(self.where)

    @property
    def id(self) -> str:
        """Its name."""
        return str(self.value.get("id", ""))

    @property
    def kind(self) -> str:
        """What it does."""
        return str(self.value.get("kind", ""))

    @property
    def mode(self) -> str:
        """Whether it acts."""
        return str(self.value.get("mode", "enforce"))


@dataclass(frozen=True)
class Scope:
    """Something that may have policies."""

    where: Where
    title: str

    @property
    def pointer(self) -> str:
        """Its place."""
        return pointer(self.where)


def pointer(where: Where) -> str:
    """A place as a JSON Pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in where)


def scopes(document: Path) -> list[Scope]:
    """All that may have policies in this file, from the outside in; nothing when it cannot be read."""
    try:
        value = json.loads(_engine.read(document))["value"]
    except _engine.ProblemsError:
        return []
    return [Scope(where, title) for where, title, _ in _scopes(value)]


def policies(document: Path) -> list[Placed]:
    """The policies that stand in this file; nothing when it cannot be read."""
    try:
        value = json.loads(_engine.read(document))["value"]
    except _engine.ProblemsError:
        return []
    return [
        Placed((*where, "policies", number), title, one)
        for where, title, scope in _scopes(value)
        for number, one in enumerate(_list(scope.get("policies")))
        if isinstance(one, dict)
    ]


def find(document: Path, at: str) -> Placed:
    """The policy at a place.

    Raises:
        ChangeError: There is none.
    """
    found = next((one for one in policies(document) if one.pointer == at), None)
    if found is None:
        message = f"there is no policy at `{at}` any more; look at the list again"
        raise ChangeError(message)
    return found


def replaced(text: str, where: Where, value: dict[str, Any]) -> str:
    """The text with another policy in the place of one.

    Raises:
        ChangeError: There is none at this place.
    """
    node = _at(_composed(text), where)
    start, end = node.start_mark.index, _end(node)
    return (
        text[:start]
        + _written(value, node.start_mark.column, flow=bool(getattr(node, "flow_style", True)))
        + text[end:]
    )


def added(text: str, scope: Where, value: dict[str, Any]) -> str:
    """The text with another policy at the end of those of a scope.

    Raises:
        ChangeError: There is no such scope.
    """
    root = _composed(text)
    mapping = _at(root, scope)
    found = _value(mapping, "policies")
    if isinstance(found, yaml.SequenceNode) and found.value and not found.flow_style:
        last, column = found.value[-1], found.start_mark.column
        end = _end(last)
        item = _written(value, column + INDENT, flow=False)
        return f"{text[:end]}\n{' ' * column}- {item}{text[end:]}"
    flow = _written(value, 0, flow=True)
    if isinstance(found, yaml.SequenceNode):
        end = _end(found) - 1
        comma = ", " if found.value else ""
        return f"{text[:end].rstrip()}{comma}{flow}{text[end:]}"
    if found is not None:
        message = "`policies` is no list there; mend it in the document itself"
        raise ChangeError(message)
    if not isinstance(mapping, yaml.MappingNode) or not mapping.value:
        message = "there is nothing at this place that may have policies; write it into the document itself"
        raise ChangeError(message)
    end = _end(mapping)
    if mapping.flow_style:
        return f"{text[: end - 1].rstrip()}, policies: [{flow}] {text[end - 1 :]}"
    column = mapping.start_mark.column
    item = _written(value, column + 2 * INDENT, flow=False)
    return f"{text[:end]}\n{' ' * column}policies:\n{' ' * (column + INDENT)}- {item}{text[end:]}"


def included(text: str, path: str) -> str:
    """The text of a document that includes a file as well.

    Raises:
        ChangeError: It is none that can be added to.
    """
    root = _composed(text)
    found = _value(root, "include")
    item = json.dumps(path)
    if isinstance(found, yaml.SequenceNode) and found.value:
        if found.flow_style:
            end = _end(found) - 1
            return f"{text[:end].rstrip()}, {item}{text[end:]}"
        end = _end(found.value[-1])
        return f"{text[:end]}\n{' ' * found.start_mark.column}- {item}{text[end:]}"
    if found is not None or not isinstance(root, yaml.MappingNode) or not root.value:
        message = "`include` is no list of files there; mend it in the document itself"
        raise ChangeError(message)
    start = root.start_mark.index
    if root.flow_style:
        return f'{text[: start + 1]}"include": [{item}], {text[start + 1 :]}'
    return f"{text[:start]}include: [{item}]\n{text[start:]}"


def where_of(at: str) -> Where:
    """The place of a JSON Pointer."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in at.split("/")[1:]]
    return tuple(int(part) if part.isascii() and part.isdecimal() else part for part in parts)


def _scopes(value: Any) -> Iterator[tuple[Where, str, dict[str, Any]]]:  # noqa: ANN401 - what a file says
    if not isinstance(value, dict):
        return
    yield (), "the whole gateway", value
    for api, about in _items(value.get("apis")):
        yield ("apis", api), f"API {api}", about
        for version, inner in _items(about.get("versions")):
            where: Where = ("apis", api, "versions", version)
            yield where, f"{api}/{version}", inner
            for number, route in enumerate(_list(inner.get("routes"))):
                if isinstance(route, dict):
                    match = route.get("match")
                    path = match.get("path") if isinstance(match, dict) else None
                    name = route.get("id") or path or f"route {number + 1}"
                    yield (*where, "routes", number), f"{api}/{version} {name}", route


def _items(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:  # noqa: ANN401
    if isinstance(value, dict):
        yield from ((name, one) for name, one in value.items() if isinstance(one, dict))


def _list(value: Any) -> list[Any]:  # noqa: ANN401
    return value if isinstance(value, list) else []


def _composed(text: str) -> yaml.Node:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        message = "the document cannot be read; mend it as text first"
        raise ChangeError(message) from error
    if root is None:
        message = "the document is empty"
        raise ChangeError(message)
    return root


def _at(node: yaml.Node, where: Where) -> yaml.Node:
    for part in where:
        inner = (
            node.value[part]
            if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value)
            else _value(node, str(part))
        )
        if inner is None:
            message = f"there is nothing at `{pointer(where)}` any more; look at the list again"
            raise ChangeError(message)
        node = inner
    return node


def _value(node: yaml.Node, name: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    found: yaml.Node | None = next((value for key, value in node.value if key.value == name), None)
    return found


def _end(node: yaml.Node) -> int:
    """Where a node ends; of a block, where the last thing in it does, before comments that follow."""
    is_block = isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value
    if not is_block:
        end: int = node.end_mark.index
        return end
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last)


def _written(value: dict[str, Any], column: int, *, flow: bool) -> str:
    """A mapping as YAML whose first line stands at a column already."""
    text: str = yaml.safe_dump(
        value, sort_keys=False, allow_unicode=True, width=100_000, default_flow_style=flow
    )
    lines = text.rstrip("\n").split("\n")
    return f"\n{' ' * column}".join(lines)
