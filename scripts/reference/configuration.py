"""The page about the document: every object and field."""

from __future__ import annotations

import json

from lockgate import _engine, changes

from reference.markdown import anchor, page, sentence, table
from reference.schema import Schema, Types

INTRODUCTION = """
A document is YAML or JSON. Fields that are not listed here are refused, and so are empty lists. `NAME`
is a name that you choose, `[]` an entry of a list. `lockgate schema` prints the same for editors as a
JSON Schema.
"""
CHANGE = """
`change.yaml` is the file of a [change](../guide/changes.md). Fields that are not listed here are refused.
`lockgate change schema` prints the same for editors as a JSON Schema.
"""


def configuration_page() -> str:
    """Every object of a document in the order in which one comes to it."""
    schema = json.loads(_engine.document_schema())
    return page("Configuration", INTRODUCTION, *_objects(schema, "The document"))


def change_page() -> str:
    """Every object of the file of a change."""
    return page("The file of a change", CHANGE, *_objects(changes.schema(), "The file"))


def _objects(schema: Schema, title: str) -> list[str]:
    """Every object that a schema describes, in the order in which one comes to it."""
    definitions = schema["$defs"]
    places: dict[str, str] = {}
    types = Types(
        definitions,
        lambda name: (
            "[policy](policies/index.md)" if name == "Policy" else f"[mapping](#{anchor(places[name])})"
        ),
    )
    waiting = [("", schema)]
    found = []
    while waiting:
        place, this = waiting.pop(0)
        found.append((place, this))
        inner = []
        for field, name in types.children(this):
            if name not in places:
                places[name] = f"{place}.{field}".lstrip(".")
                inner.append((places[name], definitions[name]))
        # What lies inside comes before what stands beside.
        waiting = inner + waiting
    blocks = []
    for place, this in found:
        blocks += [
            f"## `{place}`" if place else f"## {title}",
            sentence(this.get("description", "")),
            types.fields(this),
            table(("field", "value", "what it means"), types.values(this)),
        ]
    return blocks
