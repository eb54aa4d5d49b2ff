"""`lockgate rollout`: try a candidate on a share of callers, and see why it goes on or back."""

from __future__ import annotations

import time
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from pydantic import ValidationError
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lockgate.admin import AdminClient, AdminError
from lockgate.cli.noted import note
from lockgate.cli.options import ADMIN, Admin
from lockgate.cli.output import err, fail, out, write
from lockgate.rollout import Expectation, RolloutPlan, RolloutStatus, asked

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lockgate.models import Evidence

app = typer.Typer(help="Roll a candidate out on a running gateway.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
EVERY = 0.5
"""Seconds between two looks."""


@app.command()
def start(
    candidate: Annotated[
        Path, typer.Argument(metavar="CANDIDATE", help="The document to roll out.", show_default=False)
    ],
    *,
    plan: Annotated[Path | None, typer.Option(help="A plan as JSON; it replaces the steps.")] = None,
    steps: Annotated[str, typer.Option(help="Percents of callers.")] = "1,5,25,50",
    seconds: Annotated[
        int, typer.Option(help="How long each stage but the last lasts at least.", min=1)
    ] = 60,
    requests: Annotated[
        int, typer.Option(help="Requests that the candidate sees in each stage.", min=0)
    ] = 300,
    bake: Annotated[int, typer.Option(help="Seconds until a live candidate counts as good.", min=1)] = 3600,
    include: Annotated[
        list[str] | None, typer.Option(help="An application that is in from the first step; repeat it.")
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="An application that gets it only once it is live; repeat it."),
    ] = None,
    expect: Annotated[
        Path | None, typer.Option(help="What the change means to refuse or allow, JSON.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for those who look later.")] = "",
    watch: Annotated[bool, typer.Option("--watch", help="Stay and show it until it ends.")] = False,
    as_json: Json = False,
    admin: Admin = ADMIN,
) -> None:
    """Begin: ask the candidate beside the live revision, then give it a growing share of callers.

    It goes back by itself when its decisions differ from what is expected, when its answers are worse, or
    when nothing can be said in time. Exit code 1: the candidate has errors, or, with `--watch`, it was rolled
    back; 2: the gateway does not answer or says no.
    """
    try:
        whole = RolloutPlan.read(plan) if plan else _plan(steps, seconds, requests, bake)
        expected = Expectation.read(expect) if expect else None
    except ValidationError as error:
        fail("; ".join(_sentence(part["loc"], part["msg"]) for part in error.errors()))
    except (OSError, ValueError) as error:
        fail(str(error))
    body = asked(
        candidate, plan=whole, chosen=include or (), excluded=exclude or (), expect=expected, reason=reason
    )
    note("rollout.start", str(candidate), why=reason or None, details={"admin": admin})
    try:
        answer = AdminClient(admin).begin_rollout(body)
    except AdminError as error:
        fail(str(error))
    for problem in answer.problems:
        err.print(problem, markup=False)
    status = RolloutStatus.model_validate(answer.rollout) if answer.rollout else None
    if status is None or not status.running:
        err.print("the candidate has errors; nothing has changed", style="red")
        raise typer.Exit(1)
    if watch:
        _watch(admin)
    else:
        show(status, as_json=as_json)


@app.command()
def status(*, as_json: Json = False, admin: Admin = ADMIN) -> None:
    """Show the rollout that runs, else the last one. Exit code 1: there was none."""
    show(_status(admin), as_json=as_json)


@app.command()
def watch(*, admin: Admin = ADMIN) -> None:
    """Show the rollout until it ends. Exit code 1: it was rolled back, or there was none."""
    _watch(admin)


@app.command()
def promote(*, as_json: Json = False, admin: Admin = ADMIN) -> None:
    """Go to the next stage without waiting for the guard's certainty.

    What the guard holds against the candidate cannot be overruled; a step's shortest time and the bake cannot
    be cut short. Exit code 2: it cannot be done, and the message says why.
    """
    _command("promote", as_json=as_json, admin=admin)


@app.command()
def pause(*, as_json: Json = False, admin: Admin = ADMIN) -> None:
    """Stay in this stage; the guard still watches."""
    _command("pause", as_json=as_json, admin=admin)


@app.command()
def resume(*, as_json: Json = False, admin: Admin = ADMIN) -> None:
    """Go on after a pause."""
    _command("resume", as_json=as_json, admin=admin)


@app.command()
def abort(*, as_json: Json = False, admin: Admin = ADMIN) -> None:
    """Go back to the revision that it began with, at once."""
    _command("abort", as_json=as_json, admin=admin)


def _command(command: Literal["promote", "pause", "resume", "abort"], *, as_json: bool, admin: str) -> None:
    note(f"rollout.{command}", admin, is_rescue=command in {"pause", "abort"})
    try:
        after = RolloutStatus.model_validate(AdminClient(admin).command_rollout(command))
    except AdminError as error:
        fail(str(error))
    show(after, as_json=as_json)


def _plan(steps: str, seconds: int, requests: int, bake: int) -> RolloutPlan:
    try:
        percents = [float(part) for part in steps.split(",")]
    except ValueError:
        message = f"`{steps}` are no steps; write percents such as `1,5,25,50`"
        raise ValueError(message) from None
    return RolloutPlan.even(percents, seconds=seconds, requests=requests, bake=bake)


def _sentence(place: tuple[int | str, ...], message: str) -> str:
    return f"`{'.'.join(str(part) for part in place)}`: {message[:1].lower()}{message[1:]}"


def _status(admin: str) -> RolloutStatus:
    try:
        rollout = AdminClient(admin).rollout()
    except AdminError as error:
        fail(str(error))
    if rollout is None:
        fail("there was no rollout; begin one with `lockgate rollout start CANDIDATE`", 1)
    return RolloutStatus.model_validate(rollout)


def show(status: RolloutStatus, *, as_json: bool = False) -> None:
    """Print where a rollout is and why."""
    if as_json:
        write(status.model_dump_json(indent=2, by_alias=True))
    else:
        out.print(_page(status))


def _watch(admin: str) -> None:
    if watched(admin).rolled_back:
        raise typer.Exit(1)


def watched(admin: str) -> RolloutStatus:
    """Show the rollout until it ends; how it ended."""
    last = _status(admin)
    with Live(_page(last), console=out, auto_refresh=False) as live:
        while last.running:
            time.sleep(EVERY)
            last = _status(admin)
            live.update(_page(last), refresh=True)
    return last


def _page(status: RolloutStatus) -> RenderableType:
    """Where it is and why, both arms side by side, what the guard measures, where decisions differ."""
    style = "red" if status.rolled_back else "green" if not status.running else "yellow"
    stage = f"{status.stage} ({status.share_percent:g} %)" if status.step else status.stage
    paused = ", paused" if status.paused and status.running else ""
    lines = [
        Text.assemble(("stage     ", "dim"), (f"{stage}{paused}", f"bold {style}")),
        Text.assemble(("why       ", "dim"), status.why),
        Text.assemble(("revision  ", "dim"), f"{status.candidate[:12]} in place of {status.base[:12]}"),
    ]
    if status.reason:
        lines.append(Text.assemble(("reason    ", "dim"), status.reason))
    beside = status.beside
    unjudged = sum(beside.unjudged.values())
    lines.append(
        Text.assemble(
            ("beside    ", "dim"),
            f"{beside.judged} requests judged by both, {beside.shed} shed, {unjudged} could not be judged; "
            f"{beside.cpu_share:.1%} of processor time, at most {beside.cpu_share_at_most:.0%}",
        )
    )
    parts: list[RenderableType] = [*lines, Text(), _arms(status)]
    if status.verdict and status.verdict.evidence:
        parts += [Text(), _evidence(status.verdict.evidence)]
    if status.differences.groups:
        parts += [Text(), _differences(status)]
    return Group(*parts)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _arms(status: RolloutStatus) -> Table:
    table = _table("arm", "requests", "callers", "bad", "p50 ms", "p99 ms", "what was bad")
    for name, arm in (("canary", status.canary), ("control", status.control)):
        bad = ", ".join(f"{metric} {count}" for metric, count in arm.bad.items())
        latencies = ("" if ms is None else f"{ms:.2f}" for ms in (arm.p50_ms, arm.p99_ms))
        table.add_row(name, str(arm.requests), f"{arm.callers:g}", str(arm.bad_answers), *latencies, bad)
    return table


def _evidence(evidence: Evidence) -> Text:
    shown = ", ".join(event.id for event in evidence.events[-3:])
    behind = f"; among the events behind it: {shown}" if shown else ""
    return Text.assemble(
        ("guard     ", "dim"), f"{evidence.value:.4g} against {evidence.threshold:.4g}", behind
    )


def _differences(status: RolloutStatus) -> Table:
    table = _table("differs", "requests", "application", "route", "policy", "base", "candidate", "expected")
    for group in status.differences.groups[:20]:
        route = " ".join(filter(None, (group.api, group.version, group.path)))
        table.add_row(
            group.change.replace("_", " "),
            str(group.count),
            group.application or "(nobody)",
            route or "(no route)",
            group.policy or "",
            str(group.base),
            str(group.candidate),
            "yes" if group.approved else "no",
        )
    return table
