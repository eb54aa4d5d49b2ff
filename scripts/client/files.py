"""The two files that are written: `models.py` and `operations.py`."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from client.document import Document
from client.types import class_name, identifier, type_of

if TYPE_CHECKING:
    from client.document import Operation

Schema = dict[str, Any]

FOLDER = Path(__file__).parents[2] / "python/lockgate/client"
_WRITTEN = "Written by `make client` from the OpenAPI document; changes are made there."
_MODELS = f'''"""What the admin API takes and gives.

{_WRITTEN}
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Told(BaseModel):
    """Something that the API gives; fields that a newer one gives beside are left alone."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="ignore")
'''
_HEAD = f'''"""The operations of the admin API.

{_WRITTEN}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, Literal
from urllib.parse import quote

from lockgate.client import models
from lockgate.client.transport import OMITTED, Omitted, Transport
'''
_PAGES = ("cursor", "before", "after", "page")
"""Parameters that ask for the next page, the likeliest first."""


def files(document: Document | None = None) -> dict[str, str]:
    """Each file's name and text."""
    known = document or Document.ask()
    return {
        "models.py": _formatted(_models(known)),
        "operations.py": _formatted(_operations(known)),
    }


def _formatted(text: str) -> str:
    # Unused imports go, too: which of them are needed depends on the document.
    for line in (
        ["check", "--fix", "--quiet", "--select", "F401,I,UP", "--exit-zero"],
        ["format", "--quiet"],
    ):
        ruff = [sys.executable, "-m", "ruff", *line, "--stdin-filename", str(FOLDER / "x.py"), "-"]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True).stdout
    return text


def _models(document: Document) -> str:
    parts = [_MODELS]
    for name, schema in sorted(document.schemas.items()):
        parts.append(_model(name, schema))
    return "\n\n".join(parts)


def _model(name: str, schema: Schema) -> str:
    said = _doc(schema.get("description") or schema.get("title") or name)
    if "properties" not in schema and schema.get("type") != "object":
        return f"{class_name(name)} = {type_of(schema)}\n"
    lines = [f"class {class_name(name)}(Told):", textwrap.indent(said, "    "), ""]
    required = set(schema.get("required", ()))
    for field, of in schema.get("properties", {}).items():
        lines.append(f"    {_field(field, of, is_required=field in required)}")
        if of.get("description"):
            lines.append(textwrap.indent(_doc(of["description"]), "    "))
    return "\n".join(lines)


def _field(name: str, of: Schema, *, is_required: bool) -> str:
    own, kind = identifier(name), type_of(of)
    default = ""
    if not is_required:
        # A model is never a default that several share: nothing stands for it.
        value = of.get("default")
        default = repr(value) if not isinstance(value, dict | list) else "None"
        kind = kind if default != "None" or "None" in kind or kind == "Any" else f"{kind} | None"
    if own != name:
        inside = f'{default or "..."}, alias="{name}"'
        return f"{own}: {kind} = Field({inside})"
    return f"{own}: {kind}" + (f" = {default}" if default else "")


def _operations(document: Document) -> str:
    tags = sorted({one.tag for one in document.operations})
    parts = [_HEAD]
    for tag in tags:
        own = [_operation(one, document) for one in document.operations if one.tag == tag]
        parts.append(
            f"class {class_name(tag)}:\n"
            f'    """What is about {tag}."""\n\n'
            "    def __init__(self, transport: Transport) -> None:\n"
            "        self._transport = transport\n\n" + textwrap.indent("\n".join(own), "    ")
        )
    lines = [f"        self.{identifier(tag)} = {class_name(tag)}(transport)" for tag in tags]
    parts.append(
        "class Operations:\n"
        '    """Everything, by what it is about."""\n\n'
        "    def __init__(self, transport: Transport) -> None:\n" + "\n".join(lines) + "\n"
    )
    return "\n\n".join(parts)


def _operation(one: Operation, document: Document) -> str:
    parameters = one.said.get("parameters", [])
    in_path = [p for p in parameters if p["in"] == "path"]
    in_query = [p for p in parameters if p["in"] == "query"]
    body = _body(one, document)
    # Only the path goes by position: its parts are read in the order of the address.
    named = [_parameter(p) for p in in_query] + [_argument(n, of, r) for n, of, r in body.fields]
    arguments = ["self", *(f"{identifier(p['name'])}: {type_of(p['schema'])}" for p in in_path)]
    if body.whole:
        arguments.append(f"body: {body.whole}")
    if named:
        arguments += ["*", *sorted(named, key=lambda text: "= OMITTED" in text)]
    path = one.path
    for p in in_path:
        path = path.replace(f"{{{p['name']}}}", f"{{quote(str({identifier(p['name'])}), safe='')}}")
    call = [f'"{one.method}"', f'f"{path}"' if in_path else f'"{path}"']
    if in_query:
        pairs = ", ".join(f'"{p["name"]}": {identifier(p["name"])}' for p in in_query)
        call.append(f"query={{{pairs}}}")
    if body.whole:
        call.append("body=body")
    elif body.is_given:
        pairs = ", ".join(f'"{name}": {identifier(name)}' for name, _, _ in body.fields)
        call.append(f"body={{{pairs}}}")
    given, how = _answer(one)
    said = _doc(one.said.get("description") or one.said.get("summary") or one.name, _RAISES)
    text = (
        f"def {identifier(one.name)}({', '.join(arguments)}) -> {given}:\n"
        f"{textwrap.indent(said, '    ')}\n"
        f"    {how.replace('CALL', ', '.join(call))}\n"
    )
    return text + _iterator(one, document, in_query, arguments, in_path)


_RAISES = "\n\nRaises:\n    ClientError: Nothing came of it."


class _Body:
    def __init__(self, fields: list[tuple[str, Schema, bool]], whole: str = "", *, is_given: bool) -> None:
        self.fields, self.whole, self.is_given = fields, whole, is_given


def _body(one: Operation, document: Document) -> _Body:
    content = one.said.get("requestBody", {}).get("content", {})
    if not content:
        return _Body([], is_given=False)
    if "application/json" not in content:
        message = f"{one.method} {one.path} takes {', '.join(content)}, which this client cannot send"
        raise ValueError(message)
    schema = content["application/json"]["schema"]
    found = document.schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
    fields = found.get("properties")
    if fields is None:
        return _Body([], type_of(schema, "models."), is_given=True)
    taken = {p["name"] for p in one.said.get("parameters", [])}
    if taken & fields.keys():
        return _Body([], type_of(schema, "models."), is_given=True)
    required = set(found.get("required", ()))
    return _Body([(name, of, name in required) for name, of in fields.items()], is_given=True)


def _parameter(parameter: Schema) -> str:
    return _argument(parameter["name"], parameter["schema"], parameter.get("required", False))


def _argument(name: str, of: Schema, is_required: bool) -> str:  # noqa: FBT001 - one of three of a field
    kind = type_of(of, "models.").replace("list[", "Sequence[")
    return (
        f"{identifier(name)}: {kind}" if is_required else f"{identifier(name)}: {_omissible(kind)} = OMITTED"
    )


def _omissible(kind: str) -> str:
    return (
        f"{kind.removesuffix(' | None')} | Omitted | None"
        if kind.endswith(" | None")
        else f"{kind} | Omitted"
    )


def _answer(one: Operation) -> tuple[str, str]:
    """The type that an operation gives, and the line that gets it."""
    status, answer = next(
        (int(status), answer)
        for status, answer in one.said["responses"].items()
        if str(status).startswith("2")
    )
    content = answer.get("content", {})
    if "application/json" in content:
        kind = type_of(content["application/json"]["schema"], "models.")
        return kind, f"return self._transport.ask({kind}, CALL)"
    if status == 200 and one.method == "GET":
        return "Iterator[bytes]", "return self._transport.stream(CALL)"
    return "None", "self._transport.tell(CALL)"


def _iterator(
    one: Operation,
    document: Document,
    in_query: list[Schema],
    arguments: list[str],
    in_path: list[Schema],
) -> str:
    """A method that gives every item of a paged operation, where it is one."""
    kind, _ = _answer(one)
    name = next((class_ for class_ in document.schemas if f"models.{class_name(class_)}" == kind), "")
    fields = document.schemas.get(name, {}).get("properties", {})
    lists = [field for field, of in fields.items() if of.get("type") == "array"]
    asks = next((page for page in _PAGES if page in {p["name"] for p in in_query}), "")
    if one.method != "GET" or "next" not in fields or len(lists) != 1 or not asks:
        return ""
    rest = [argument for argument in arguments if not argument.startswith(f"{asks}:")]
    rest = rest[:-1] if rest[-1] == "*" else rest
    given = [identifier(p["name"]) for p in in_path]
    given += [f"{identifier(p['name'])}={identifier(p['name'])}" for p in in_query if p["name"] != asks]
    item = type_of(fields[lists[0]]["items"], "models.")
    at = type_of(next(p["schema"] for p in in_query if p["name"] == asks))
    said = _doc(f"Every one of `{one.name}`, a page at a time.", _RAISES)
    return (
        f"\ndef iter_{identifier(one.name)}({', '.join(rest)}) -> Iterator[{item}]:\n"
        f"{textwrap.indent(said, '    ')}\n"
        f"    {asks}: {_omissible(at)} = OMITTED\n"
        "    while True:\n"
        f"        page = self.{identifier(one.name)}({', '.join([*given, f'{asks}={asks}'])})\n"
        f"        yield from page.{lists[0]}\n"
        "        if page.next is None:\n"
        "            return\n"
        f"        {asks} = page.next\n"
    )


def _doc(text: str, more: str = "") -> str:
    clean = text.strip().replace("\\", "\\\\").replace('"""', "'''")
    end = "" if clean.endswith((".", "!", "?", ":")) else "."
    return f'"""{clean}{end}{more}\n"""' if more or "\n" in clean else f'"""{clean}{end}"""'
