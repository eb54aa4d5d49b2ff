"""What `lockgate change` prints."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from lockgate.attacks import AttackReport
from lockgate.changes.steps import Checked, Tested
from lockgate.cli import attack, cases, replay
from lockgate.cli.output import columns, err, out, show_problems, visible
from lockgate.replays import Replay
from lockgate.rollout import Expectation

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lockgate.changes import Began, Change, ChangeStatus
    from lockgate.changes.steps import Name
    from lockgate.models import Difference, Model

MOST_ROWS = 20
HINTS: dict[Name, str] = {
    "check": "mend it, or `acknowledge` the warning that is meant, then",
    "replay": "mend it, or say in the file of `expect` that it is meant, then",
}
"""What else than mending it helps when a step blocks."""


class Bar:
    """What a step does now, while somebody looks."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<8}"),
            BarColumn(),
            TextColumn("{task.fields[words]}"),
            TimeElapsedColumn(),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def hear(self, step: str, words: str, done: int, of: int) -> None:
        """Show what a step does now."""
        if step not in self._tasks:
            self._tasks[step] = self._progress.add_task(step, total=None, words="")
        self._progress.update(self._tasks[step], completed=done, total=of or None, words=words)

    def clear(self) -> None:
        """A step has ended."""
        for task in self._tasks.values():
            self._progress.remove_task(task)
        self._tasks.clear()


def show_break_glass(change: Change, began: Began, reason: str) -> None:
    """Print, where nobody overlooks it, what a rollout was begun without."""
    err.print("BREAK-GLASS: this rollout begins without", style="bold red")
    for skipped in began.skipped or ["nothing: all of it was there"]:
        err.print(Text(f"  {visible(skipped)}", style="red"))
    expect = _expected(change.file.rollout.expect or Expectation())
    for name, text in (
        ("reason", reason),
        ("expected", expect),
        ("guard", "as by default, whatever the plan says"),
    ):
        err.print(Text(f"{name:<9} {visible(text)}", style="red"))


def show_put_in_place(change: Change) -> None:
    """Print what is left to do when a candidate is live."""
    if change.file.git:
        what = f"put the document of `{change.file.git.split('..', 1)[1]}` where the gateway reads it"
    else:
        candidate, base = str(change.path(change.file.candidate or "")), str(change.path(change.file.base))
        what = shlex.join(["cp", candidate, base])
    out.print(f"next: {what}", markup=False, style="dim")


def show_facts(change: Change, now: ChangeStatus) -> None:
    """Print what the change is, and what it does to which route."""
    out.print(f"change     {now.name}: {visible(change.file.purpose)}", markup=False)
    out.print(f"author     {visible(change.file.author)}", markup=False)
    out.print(f"revisions  {str(now.base)[:12]} -> {str(now.candidate)[:12]}", markup=False)
    out.print(f"expected   {visible(_expected(now.expect))}", markup=False)
    show_routes(now.differences)


def _expected(expect: Expectation) -> str:
    allowed = [
        f"{sort.replace('_', ' ')}: at most {allowance.at_most:,} of {', '.join(allowance.applications)}"
        for sort in ("newly_refused", "newly_allowed", "other")
        if (allowance := getattr(expect, sort))
    ]
    return "; ".join(allowed) or "no decision differs"


def show_routes(differences: list[Difference]) -> None:
    """Print what happens to which route, one a line."""
    for route in differences[:MOST_ROWS]:
        what = [f"{policy.id} {policy.change}" for policy in route.policies]
        if route.target:
            what.append(f"answered by {' -> '.join(route.target)}")
        name = f"{route.api}/{route.version} {route.route}"
        out.print(f"route      {name}: {', '.join(what) or route.change}", markup=False)
    if len(differences) > MOST_ROWS:
        out.print(
            f"           and {len(differences) - MOST_ROWS} more; `lockgate diff` shows all", markup=False
        )


def show_table(now: ChangeStatus) -> None:
    """Print what each step has and what it lacks."""
    rows: list[Iterable[str]] = [(step.step, step.condition, visible(step.says)) for step in now.steps]
    rows.append(("approval", now.approval.condition, visible(now.approval.says)))
    rows += [
        (f"owner of {one.api}", "holds" if one.by else "missing", visible(one.by or one.says))
        for one in now.apis
    ]
    columns(("step", "evidence", "what it says"), *rows)


def show_report(report: Model | None) -> None:
    """Print what blocks, as the command of the step shows it."""
    if isinstance(report, Checked):
        show_problems(report.base.problems if not report.base.ok else report.candidate.problems)
    elif isinstance(report, Tested):
        cases.show(report.cases)
    elif isinstance(report, AttackReport):
        attack.show(report)
    elif isinstance(report, Replay):
        replay.show(report)


def show_next(command: str, folder: Path, then: str = "") -> None:
    """Print the last line: what to type next."""
    more = " BASE" if command == "rebase" else ""
    before = f"{then}: " if then else ""
    out.print(
        f"next: {before}lockgate change {command} {shlex.quote(str(folder))}{more}", markup=False, style="dim"
    )
