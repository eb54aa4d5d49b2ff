"""Commands about recordings."""

from __future__ import annotations

import json
import re
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lockgate.cli.options import time_of
from lockgate.cli.output import columns, err, fail, out, visible, write
from lockgate.recording import Recording

if TYPE_CHECKING:
    from datetime import datetime

    from lockgate.models import Event, ModelCall

app = typer.Typer(help="Read recordings.", no_args_is_help=True)


class Decision(StrEnum):
    """What became of a request."""

    FORWARD = "forward"
    REFUSE = "refuse"
    RESPOND = "respond"


Folder = Annotated[
    Path,
    typer.Argument(metavar="FOLDER", help="A segment, or the folder of a recording.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one event a line.")]
Time = Annotated[str | None, typer.Option(help="RFC 3339, such as 2026-11-01T08:00:00Z.")]


@app.command("list")
def list_events(
    folder: Folder,
    *,
    application: Annotated[str | None, typer.Option(help="Only this application.")] = None,
    api: Annotated[str | None, typer.Option(help="Only this API.")] = None,
    route: Annotated[str | None, typer.Option(help="Only this route.")] = None,
    code: Annotated[str | None, typer.Option(help="Only this reason code.")] = None,
    decision: Annotated[Decision | None, typer.Option(help="Only this decision.")] = None,
    status: Annotated[str | None, typer.Option(help="Only this status, such as 401 or 4xx.")] = None,
    since: Time = None,
    until: Time = None,
    client: Annotated[str | None, typer.Option(help="Only this caller's address.")] = None,
    path: Annotated[str | None, typer.Option(help="Only paths that contain this.")] = None,
    limit: Annotated[int, typer.Option(help="The most events.", min=1)] = 50,
    as_json: Json = False,
) -> None:
    """List recorded requests, oldest first."""
    try:
        recording = Recording(
            folder,
            application=application,
            api=api,
            route=route,
            code=code,
            decision=decision.value if decision else None,
            status=_statuses(status),
            since=time_of(since),
            until=time_of(until),
            client=client,
            path_contains=path,
            limit=limit,
        )
    except (OSError, ValueError) as error:
        fail(str(error))
    events = list(recording)
    if as_json:
        for event in events:
            write(event.model_dump_json(exclude_none=True))
    elif events:
        heading = ("time", "id", "status", "decision", "method", "path", "application", "reason")
        columns(heading, *(_row(event) for event in events))
    else:
        err.print("no recorded request fits")
    _warn(recording)
    if len(events) == limit:
        err.print(f"these are the first {limit}; `--limit` shows more", style="dim")


@app.command()
def show(
    folder: Folder,
    request_id: Annotated[
        str, typer.Argument(metavar="ID", help="The id, or its start.", show_default=False)
    ],
    *,
    as_json: Json = False,
) -> None:
    """Show one recorded request: what it said, what each policy said, what became of it."""
    recording = _open(folder)
    event = next((event for event in recording if event.id.startswith(request_id)), None)
    if event is None:
        _warn(recording)
        fail(f"no recorded request has an id that begins with `{request_id}`", 1)
    if as_json:
        write(event.model_dump_json(exclude_none=True, indent=2))
        return
    query = f"?{event.query}" if event.query else ""
    lines = [
        ("id", event.id),
        ("time", event.time.isoformat()),
        ("request", f"{event.method} {event.scheme}://{event.host}{event.path}{query} HTTP/{event.version}"),
        ("client", event.client),
        ("route", " ".join(filter(None, (event.api, event.api_version, event.route))) or None),
        ("application", event.application),
        ("subject", event.subject),
        ("decision", f"{event.decision} {event.code or ''}".strip()),
        ("status", _status(event)),
        ("upstream", " at ".join(filter(None, (event.upstream, event.target))) or None),
        ("tries", str(event.tries) if event.tries else None),
        ("latency", f"{event.latency_us / 1000:.3f} ms, {event.upstream_us / 1000:.3f} ms of it upstream"),
        ("bytes", f"{event.bytes_in} in, {event.bytes_out} out"),
        ("model", _model(event.model_call)),
        ("trace", event.trace_id),
        ("revision", event.revision),
    ]
    for name, text in lines:
        if text:
            out.print(f"{name:<12} {text}", markup=False)
    for name, value in event.headers:
        out.print(f"{'field':<12} {name}: {value}", markup=False)
    if event.claims is not None:
        out.print(f"{'claims':<12} {json.dumps(event.claims)}", markup=False)
    if event.body is not None:
        out.print(f"{'body':<12} {event.body}{' …' if event.body_truncated else ''}", markup=False)
    asked = event.prompt.words if event.prompt else None
    for what, words in (("asked", asked), ("answered", event.answer)):
        for said in words.said if words else []:
            out.print(f"{what:<12} {said.by}: {visible(said.text)}", markup=False)
        if words and words.cut:
            out.print(f"{what:<12} …", markup=False)
    if event.verdicts:
        heading = ("policy", "kind", "declared at", "verdict", "reason")
        rows = [
            (v.id, v.kind, v.scope, f"{v.word} (shadow)" if v.shadow else v.word, v.reason)
            for v in event.verdicts
        ]
        columns(heading, *rows)


@app.command()
def summary(folder: Folder, *, as_json: Json = False) -> None:
    """Count recorded requests by application, route and what became of them."""
    recording = _open(folder)
    counts: Counter[tuple[str, str, str]] = Counter()
    first: datetime | None = None
    last: datetime | None = None
    for event in recording:
        first, last = first or event.time, event.time
        outcome = event.code or f"{event.decision} {event.status}"
        counts[event.application or "", " ".join(filter(None, (event.api, event.route))), outcome] += 1
    if as_json:
        names = ("application", "route", "outcome")
        write(
            json.dumps([{**dict(zip(names, key, strict=True)), "requests": n} for key, n in counts.items()])
        )
    elif first is not None and last is not None:
        out.print(f"{counts.total()} requests from {first.isoformat()} to {last.isoformat()}")
        rows = [(*key, str(n)) for key, n in counts.most_common()]
        columns(("application", "route", "outcome", "requests"), *rows)
    else:
        err.print("the recording holds no request yet")
    _warn(recording)


def _status(event: Event) -> str:
    """What the answer said of itself, to its end."""
    of_grpc = f", {event.grpc_status} of gRPC" if event.grpc_status is not None else ""
    return f"{event.status}{of_grpc}{', and broke off' if event.broke_off else ''}"


def _model(call: ModelCall | None) -> str | None:
    if call is None:
        return None
    asked = call.model
    if call.provider:
        asked = f"{asked}, answered by {call.provider} {call.provider_model or ''}".rstrip()
    if call.from_cache:
        return f"{asked}, from the cache"
    told = ((call.input_tokens, "tokens in"), (call.output_tokens, "tokens out"))
    took = [f"{count} {what}" for count, what in told if count is not None]
    if call.reasoning_tokens is not None:
        took.append(f"{call.reasoning_tokens} of them reasoning")
    if call.cost is not None:
        took.append(f"{call.cost / 1_000_000:.6f} USD{_prices(call.priced_by)}")
    if call.finish is not None:
        took.append(f"ended by {call.finish}")
    took += [word for word in (call.failure, call.lost) if word]
    return "; ".join([asked, *took])


def _prices(by: str | None) -> str:
    if by is None:
        return ""
    return " by the document's price" if by == "document" else f" by the prices of {by}"


def _row(event: Event) -> tuple[str, ...]:
    return (
        event.time.isoformat(timespec="milliseconds"),
        event.id[:12],
        str(event.status),
        event.decision,
        event.method,
        event.path,
        event.application or "",
        event.code or "",
    )


def _open(folder: Path) -> Recording:
    try:
        return Recording(folder)
    except OSError as error:
        fail(str(error))


def _statuses(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    if not re.fullmatch(r"[1-5](xx|[0-9]{2})", text):
        fail(f"`{text}` is not a status; write one such as 401, or a class such as 4xx")
    return int(text.replace("x", "0")), int(text.replace("x", "9"))


def _warn(recording: Recording) -> None:
    for damage in recording.damages:
        err.print(f"warning: {damage}", style="yellow", markup=False)
