"""Commands about documents: they open no port and read no secret."""

from __future__ import annotations

import difflib
import json
import textwrap
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any

import typer

from lockgate import _engine
from lockgate import documents as engine
from lockgate.cli.output import columns, err, fail, out, show_problems, visible, write
from lockgate.state import State as StateFolder
from lockgate.state import StateError

Document = Annotated[
    Path, typer.Argument(metavar="FILE", help="The gateway document, YAML or JSON.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def check(file: Document, *, as_json: Json = False) -> None:
    """Check a document. Exit code 0: it can be served; 1: it has errors."""
    result = engine.check(file)
    if as_json:
        write(result.model_dump_json(indent=2))
    else:
        show_problems(result.problems)
        if result.ok:
            counts = f"{_count(result.routes, 'route')}, {_count(result.policies, 'policy', 'policies')}"
            out.print(f"{file}: {counts}, revision {str(result.id)[:12]}", markup=False)
    raise typer.Exit(0 if result.ok else 1)


def diff(
    base: Annotated[Path, typer.Argument(metavar="BASE", help="What is served.", show_default=False)],
    candidate: Annotated[
        Path, typer.Argument(metavar="CANDIDATE", help="What shall be served.", show_default=False)
    ],
    *,
    as_json: Json = False,
) -> None:
    """Compare the effective policies of two documents by route.

    Exit code 0: same; 1: different; 2: errors.
    """
    try:
        differences = engine.diff(base, candidate)
    except _engine.ProblemsError as error:
        show_problems(engine.problems_of(error))
        raise typer.Exit(2) from None
    if as_json:
        write(json.dumps([difference.model_dump() for difference in differences], indent=2))
    signs = {"added": "+", "removed": "-", "changed": "~", "moved": ">"}
    for difference in [] if as_json else differences:
        out.print(
            f"{signs[difference.change]} {difference.api}/{difference.version}  {difference.route}",
            markup=False,
        )
        for policy in difference.policies:
            out.print(f"    {signs[policy.change]} {policy.id} ({policy.kind})", markup=False)
            for side, sign in ((policy.before, "-"), (policy.after, "+")):
                if side is not None:
                    out.print(f"        {sign} {json.dumps(side)}", markup=False)
        if difference.target:
            out.print(f"    ~ answered by {difference.target[0]} -> {difference.target[1]}", markup=False)
    if not differences and not as_json:
        out.print("no route is treated differently")
    raise typer.Exit(1 if differences else 0)


def explain(
    file: Document,
    method: Annotated[
        str, typer.Argument(metavar="METHOD", help="The method, such as GET.", show_default=False)
    ],
    url: Annotated[
        str, typer.Argument(metavar="URL", help="A path with query, or a whole URL.", show_default=False)
    ],
    *,
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", help="A field, 'Name: value'.")
    ] = None,
    body: Annotated[str | None, typer.Option(help="The body.")] = None,
    client: Annotated[str | None, typer.Option(help="The caller's address.")] = None,
    at: Annotated[str | None, typer.Option(help="The time, RFC 3339; now by default.")] = None,
    state: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Say too what the node of this state folder blocks for a time."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Explain one request: its route, each policy with its origin and verdict, and the reason.

    Limits start unused.
    """
    headers = []
    for line in header or []:
        name, colon, value = line.partition(":")
        if not colon:
            fail(f"`{line}` is not a field; write 'Name: value'")
        headers.append((name.strip(), value.strip()))
    try:
        trace = engine.explain(file, method, url, headers=headers, body=body, client=client, at=at)
    except _engine.ProblemsError as error:
        show_problems(engine.problems_of(error))
        raise typer.Exit(2) from None
    except ValueError as error:
        fail(str(error))
    if state is not None:
        _show_blocks(state, client or "127.0.0.1", trace.application)
    if as_json:
        write(trace.model_dump_json(indent=2))
        return
    if trace.route:
        out.print(
            f"route     {trace.route.api}/{trace.route.version}  {trace.route.id}  {trace.route.path}",
            markup=False,
        )
    if trace.policies:
        heading = ("phase", "policy", "kind", "declared at", "mode", "verdict", "reason")
        rows = [
            (row.phase, row.id, row.kind, row.origin, row.mode, row.verdict or "not reached", row.reason)
            for row in trace.policies
        ]
        columns(heading, *rows)
    out.print(
        f"decision  {trace.decision}" + (f" {trace.status} {trace.code}" if trace.status else ""),
        markup=False,
    )
    for name, text in (("detail", trace.detail), ("remedy", trace.remedy), ("target", trace.target)):
        if text and (name != "target" or trace.decision == "forward"):
            out.print(f"{name:<9} {text}", markup=False)
    if trace.forwarded and trace.decision == "forward":
        query = f"?{trace.forwarded.query}" if trace.forwarded.query else ""
        out.print(f"path      {trace.forwarded.path}{query}", markup=False)


def _show_blocks(state: Path, client: str, application: str | None) -> None:
    """Say what refuses the call by order, which no document knows."""
    try:
        found = StateFolder(state).blocks()
    except StateError as error:
        fail(str(error))
    address = ip_address(client)
    for one in found:
        if one.refuses(address, application):
            slowed = f"has {one.per_minute} calls a minute" if one.per_minute else "is refused"
            message = f"{one.in_words} {slowed} until {one.until_text}, whatever the document says: {one.why}"
            err.print(visible(message), style="yellow", markup=False)


def schema() -> None:
    """Print the JSON Schema of documents, for editors."""
    write(json.dumps(json.loads(_engine.document_schema()), indent=2))


def policies(
    kind: Annotated[
        str | None,
        typer.Argument(metavar="KIND", help="Show this kind: what it does, an example, settings, reasons."),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """List the kinds of policies, or show one."""
    catalogue = json.loads(_engine.policy_catalogue())
    kinds = {entry["kind"]: entry for entry in catalogue["kinds"]}
    if kind is not None and kind not in kinds:
        near = difflib.get_close_matches(kind, kinds, 1)
        help_ = f"did you mean `{near[0]}`?" if near else "`lockgate policies` lists the kinds"
        fail(f"there is no kind `{kind}`; {help_}")
    if as_json:
        write(json.dumps(kinds[kind] if kind else catalogue, indent=2))
        return
    if kind is None:
        rows = [(entry["phase"], entry["kind"], entry["about"]) for entry in kinds.values()]
        columns(("phase", "kind", "what it does"), *rows)
        err.print("lockgate policies KIND shows an example, settings and reasons", style="dim")
        return
    _show(kinds[kind])


def _count(number: int, one: str, several: str | None = None) -> str:
    return f"{number} {one if number == 1 else several or f'{one}s'}"


def _show(entry: dict[str, Any]) -> None:
    """Print a kind as its source describes it."""
    doc = entry["doc"]
    out.print(f"{entry['kind']} ({entry['phase']})", style="bold")
    _paragraphs(doc["what"])
    _section("when to use", doc["when"])
    out.print("\nexample", style="bold")
    out.print(textwrap.indent(doc["example"], "  "), markup=False)
    out.print("\nsettings", style="bold")
    required = entry["settings"].get("required", [])
    settings = entry["settings"].get("properties", {})
    for name, setting in settings.items():
        note = " (required)" if name in required else ""
        out.print(f"  {name}{note}: {' '.join(setting.get('description', '').split())}", markup=False)
    out.print("  and `mode`, `percent`, `when`, `on_error`, `purpose`, `expires`, `final`, as every policy")
    _section("on failure", doc["failure"])
    for reason in entry["reasons"]:
        line = f"  {reason['status']} {reason['code']}: {reason['title']}; {reason['remedy']}"
        out.print(line, markup=False)


def _section(heading: str, text: str) -> None:
    out.print(f"\n{heading}", style="bold")
    _paragraphs(text)


def _paragraphs(text: str) -> None:
    """The lines of a doc comment are broken at the width of the source; paragraphs are not."""
    for paragraph in text.split("\n\n"):
        out.print("  " + " ".join(paragraph.split()), markup=False)
