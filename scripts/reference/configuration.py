"""The page about the document: every object and field."""

from __future__ import annotations

import json

from lockgate import _engine

from reference.markdown import anchor, page, sentence, table
from reference.schema import Types

INTRODUCTION = """
A document is YAML or JSON. Fields that are not listed here are refused, and so are empty lists. `NAME`
is a name that you choose, `[]` an entry of a list. `lockgate schema` prints the same for editors as a
JSON Schema.
"""


def configuration_page() -> str:
    """Every object of a document in the order in which one comes to it."""
    schema = json.loads(_engine.document_schema())
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
    blocks = [INTRODUCTION]
    for place, this in found:
        blocks += [
            f"## `{place}`" if place else "## The document",
            sentence(this.get("description", "")),
            types.fields(this),
            table(("field", "value", "what it means"), types.values(this)),
        ]
    return page("Configuration", *blocks)
