"""Pages about the kinds of policies and the reasons for refusals."""

from __future__ import annotations

import json
from typing import Any

from lockgate import _engine

from reference.markdown import anchor, fenced, page, sentence, table
from reference.schema import Types

Entry = dict[str, Any]

POLICIES = """
A policy is its `kind`, the settings of that kind, and a few fields that every kind has. Policies are
evaluated by phase, in the order below, and within a phase in the order in which they are declared, outer
scopes first: gateway, API, version, route.
"""
REFUSALS = """
A refused request is answered with `application/problem+json` (RFC 9457): `type`, `title`, `status`,
`detail`, `instance` (the id of the request), and two members more: `code`, which is stable, and
`remedy`, which tells the caller what to do. Browsers get a page, gRPC clients a status.
"""


def policy_pages() -> dict[str, str]:
    """An overview and one page for each kind."""
    kinds = json.loads(_engine.policy_catalogue())["kinds"]
    return {
        "policies/index.md": _overview(kinds),
        **{f"policies/{entry['kind']}.md": _kind(entry) for entry in kinds},
    }


def reasons_page() -> str:
    """Every reason code once, with what can give it."""
    catalogue = json.loads(_engine.policy_catalogue())
    reasons: dict[str, Entry] = {}
    givers: dict[str, list[str]] = {}
    named = [("the gateway", reason) for reason in catalogue["gateway_reasons"]]
    for entry in catalogue["kinds"]:
        named += [
            (f"[`{entry['kind']}`](policies/{entry['kind']}.md)", reason) for reason in entry["reasons"]
        ]
    for giver, reason in named:
        reasons[reason["code"]] = reason
        givers.setdefault(reason["code"], []).append(giver)
    blocks = [
        REFUSALS,
        table(
            ("code", "status", "title"),
            (
                (f"[`{code}`](#{anchor(code)})", str(reason["status"]), reason["title"])
                for code, reason in sorted(reasons.items())
            ),
        ),
    ]
    for code, reason in sorted(reasons.items()):
        blocks += [
            f"## `{code}`",
            f"{reason['status']}, {sentence(reason['title'])} Given by {', '.join(givers[code])}.",
            f"- What the caller can do: {reason['remedy']}\n- Type: `{reason['type']}`",
        ]
    return page("Reasons", *blocks)


def _overview(kinds: list[Entry]) -> str:
    shared = json.loads(_engine.document_schema())
    # Every branch of the schema has the settings of its kind and the fields of every kind.
    first = kinds[0]
    branch = next(one for one in shared["$defs"]["Policy"]["oneOf"] if one["title"] == first["kind"])
    settings = first["settings"]["properties"]
    fields = {name: field for name, field in branch["properties"].items() if name not in settings}
    fields["kind"] = {"type": "string", "description": "What it does: one of the kinds above"}
    common = {"properties": dict(sorted(fields.items(), key=_order)), "required": ["id", "kind"]}
    types = Types(shared["$defs"], lambda name: f"[{name.lower()}](#{name.lower()})")
    rows = (
        (entry["phase"], f"[`{entry['kind']}`]({entry['kind']}.md)", sentence(entry["about"]))
        for entry in kinds
    )
    return page(
        "Policies",
        POLICIES,
        table(("phase", "kind", "what it does"), rows),
        "## Fields of every policy",
        types.fields(common),
        table(("field", "value", "what it means"), types.values(common)),
        "## Purpose",
        types.fields(shared["$defs"]["Purpose"]),
    )


def _order(field: tuple[str, Any]) -> int:
    return 0 if field[0] == "id" else 1 if field[0] == "kind" else 2


def _kind(entry: Entry) -> str:
    doc = entry["doc"]
    definitions = entry["definitions"]

    places: dict[str, str] = {}

    def link(name: str) -> str:
        return "[policy](index.md)" if name == "Policy" else f"[mapping](#{anchor(places[name])})"

    types = Types(definitions, link)
    undecided = "is refused with 503 `policy.undecided`" if entry["on_error"] == "deny" else "passes"
    settings = entry["settings"]
    _collect(types, settings, "", places)
    blocks = [
        f"Phase `{entry['phase']}`. When it cannot decide, the request {undecided}; `on_error` changes that.",
        doc["what"],
        "## When to use",
        doc["when"],
        "## Example",
        fenced("yaml", doc["example"]),
        "## Settings",
        types.fields(settings) or "It has no settings of its own.",
        table(("setting", "value", "what it means"), types.values(settings)),
    ]
    for name, place in places.items():
        definition = definitions[name]
        blocks += [
            f"### `{place}`",
            sentence(definition.get("description", "")),
            types.fields(definition),
            table(("field", "value", "what it means"), types.values(definition)),
        ]
    rows = (
        (
            f"[`{reason['code']}`](../reasons.md#{anchor(reason['code'])})",
            str(reason["status"]),
            reason["title"],
            reason["remedy"],
        )
        for reason in entry["reasons"]
    )
    blocks += ["## On failure", doc["failure"], table(("reason", "status", "title", "remedy"), rows)]
    return page(f"`{entry['kind']}`", *blocks)


def _collect(types: Types, schema: Entry, place: str, places: dict[str, str]) -> None:
    """Find where the mappings of a kind stand; what stands in several places is described at the first."""
    for field, name in types.children(schema):
        if name not in places and name != "Policy":
            places[name] = f"{place}.{field}".lstrip(".")
            _collect(types, types.definitions[name], places[name], places)
