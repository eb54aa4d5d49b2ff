"""The form that tries an operation: one field for each parameter, the body, and the key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from lockgate.control.portal.schemas import Tree, example
from lockgate.control.portal.trying import TryError, Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockgate.control.portal.reference import Operation, Parameter, Reference
    from lockgate.control.portal.words import Credential

_PREFIX: Final = "p-"
MOST_VALUE: Final = 2_000


@dataclass(frozen=True)
class Field:
    """What is typed for a parameter."""

    name: str
    """Of the form's field."""
    parameter: Parameter
    value: str
    hint: str


class Attempt:
    """The form, filled in with examples or with what was sent.

    Args:
        reference: The document.
        operation: What is tried.
        ways: The ways to prove who calls.
        sent: The form as it was sent; nothing at first.
    """

    def __init__(
        self,
        reference: Reference,
        operation: Operation,
        ways: Sequence[Credential],
        sent: Mapping[str, Any] | None = None,
    ) -> None:
        self._operation = operation
        self._is_sent = sent is not None
        said = sent or {}
        self.fields = [
            _field(reference, one, said, is_sent=sent is not None) for one in reference.parameters(operation)
        ]
        body = reference.body(operation)
        media = body.media[0] if body and body.media else None
        self.takes_body = body is not None
        self.media_type = media.type if media else ""
        self.body = str(said.get("body", "")) if sent is not None else _example(reference, media)
        self.ways = list(ways)
        wanted = str(said.get("way", "0"))
        place = int(wanted) if wanted.isdecimal() and len(wanted) < 3 else 0
        self.credential = self.ways[place] if place < len(self.ways) else None
        self.way = place
        self.key = str(said.get("key", "")).strip()

    def wanted(self) -> Wanted:
        """The call.

        Raises:
            TryError: Something that it needs is missing.
        """
        path = self._operation.path
        query, headers = [], []
        for field in self.fields:
            one, value = field.parameter, field.value
            if len(value) > MOST_VALUE:
                message = f"`{one.name}` has more than {MOST_VALUE:,} characters"
                raise TryError(message)
            if not value and one.is_required:
                message = f"`{one.name}` is required"
                raise TryError(message)
            if one.place == "path":
                path = path.replace(f"{{{one.name}}}", quote(value, safe=""))
            elif value and one.place == "query":
                query.append((one.name, value))
            elif value and one.place == "header":
                headers.append((one.name, value))
        return Wanted(
            method=self._operation.method,
            path=path,
            query=tuple(query),
            headers=tuple(headers),
            # Forms send line ends of their own.
            body=self.body.replace("\r\n", "\n") if self.takes_body else "",
            media_type=self.media_type,
        )


def _field(reference: Reference, one: Parameter, sent: Mapping[str, Any], *, is_sent: bool) -> Field:
    name = f"{_PREFIX}{one.place}-{one.name}"
    value = str(sent.get(name, "")) if is_sent else ""
    if not is_sent and (one.is_required or one.example is not None):
        value = _written(one.example if one.example is not None else example(reference, one.schema))
    node = Tree(reference).of(one.schema)
    return Field(name, one, value, ", ".join([node.type, *node.notes]).replace("`", ""))


def _example(reference: Reference, media: Any) -> str:  # noqa: ANN401
    if media is None:
        return ""
    value = media.examples[0][1] if media.examples else example(reference, media.schema)
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _written(value: Any) -> str:  # noqa: ANN401 - examples are of any kind
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
