"""`lockgate replay`: which recorded requests a change decides otherwise."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from lockgate import _engine
from lockgate.cli.output import columns, err, fail, out, show_problems, write
from lockgate.documents import problems_of
from lockgate.kept import KeptError
from lockgate.replay_nodes import EditedError
from lockgate.replay_page import page
from lockgate.replaying import replay as run_replay
from lockgate.replays import verdict

if TYPE_CHECKING:
    from lockgate.replays import Change, Group, Replay

TITLES: dict[Change, str] = {
    "newly_refused": "newly refused",
    "newly_allowed": "newly allowed",
    "changed_reason": "refused for another reason",
    "answered_otherwise": "answered otherwise",
}
MOST_ROWS = 20
"""Groups of one sort on the terminal; the reports hold all."""


def replay(
    base: Annotated[Path, typer.Argument(metavar="BASE", help="What is served.", show_default=False)],
    candidate: Annotated[
        Path, typer.Argument(metavar="CANDIDATE", help="What shall be served.", show_default=False)
    ],
    recording: Annotated[
        list[Path],
        typer.Argument(
            metavar="RECORDING...",
            help="The folder of a recording, or one segment; of several nodes, the folder of each.",
            show_default=False,
        ),
    ],
    *,
    expect: Annotated[
        Path | None, typer.Option(help="What the change is expected to do (YAML); nothing by default.")
    ] = None,
    fetch_keys: Annotated[
        bool,
        typer.Option(help="Judge the candidate with the key sets that issuers publish now, by their URLs."),
    ] = False,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="The state folder of the node that recorded: who calls is what was published to it.",
        ),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the report as JSON; `-` prints it.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as one HTML file.")] = None,
) -> None:
    """Replay recorded traffic through two documents and show what is decided otherwise.

    No service is asked and no port opened; issuers are asked for their keys with `--fetch-keys` only. Exit
    code 0: no difference, or those expected; 1: others; 2: a file cannot be used; 3: no data, too much that
    could not be judged, or a replay that disagrees with what was recorded.
    """
    report = _replay(base, candidate, _named(recording), expect, fetch_keys=fetch_keys, state=state)
    for path, text in ((json, report.model_dump_json(indent=2)), (html, page(report) if html else "")):
        if path is not None and str(path) != "-":
            try:
                path.write_text(text if text.endswith("\n") else f"{text}\n", encoding="utf-8")
            except OSError as error:
                fail(f"the report cannot be written: {error}")
    if json is not None and str(json) == "-":
        write(report.model_dump_json(indent=2))
    else:
        show(report)
    raise typer.Exit(report.exit_code)


def _replay(
    base: Path,
    candidate: Path,
    recording: Path | dict[str, Path],
    expect: Path | None,
    *,
    fetch_keys: bool,
    state: Path | None,
) -> Replay:
    bar = Progress(
        TextColumn("replaying"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[requests]:,} requests"),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    try:
        with bar:
            task = bar.add_task("replay", total=None, requests=0)
            return run_replay(
                base,
                candidate,
                recording,
                expect,
                fetch_keys=fetch_keys,
                state=state,
                watch=lambda done, total, requests: bar.update(
                    task, completed=done, total=total, requests=requests
                ),
            )
    except _engine.ProblemsError as error:
        show_problems(problems_of(error))
        raise typer.Exit(2) from None
    except (OSError, KeptError, EditedError) as error:
        fail(str(error))


def _named(recordings: list[Path]) -> Path | dict[str, Path]:
    """Several recordings by the names of their folders, which a control plane calls as their nodes."""
    if len(recordings) == 1:
        return recordings[0]
    names = [path.resolve().name for path in recordings]
    for name in names:
        if names.count(name) > 1:
            fail(f"two recordings are called `{name}`; nodes are told by the names of their folders")
    return dict(zip(names, recordings, strict=True))


def show(report: Replay) -> None:
    """Print the report: what was replayed, what differs, what is not known, and what to make of it."""
    totals = report.totals
    if report.span is None:
        out.print("the recording holds no request")
    else:
        first, last = (time.isoformat(timespec="seconds") for time in report.span)
        out.print(f"{totals.requests:,} requests from {first} to {last}", markup=False)
        rows = [
            ("", "revision", "refused", "of judged"),
            ("base", report.base[:12], f"{totals.refused_by_base:,}", f"{totals.judged:,}"),
            ("candidate", report.candidate[:12], f"{totals.refused_by_candidate:,}", f"{totals.judged:,}"),
        ]
        columns(*rows)
    if report.nodes:
        _show_nodes(report)
    for change, title in TITLES.items():
        groups = [group for group in report.groups if group.change == change]
        if groups:
            _show_groups(title, groups)
    _show_unknown(report)
    for clause in report.expectation:
        mark = Text("holds   ", style="green") if clause.holds else Text("broken  ", style="red")
        what = f"expected {TITLES[clause.change]}: {clause.says}; came {clause.requests:,}"
        out.print(mark + Text(what))
    for other in report.unexpected[:MOST_ROWS] if report.expectation else []:
        what = f"{other.requests:,} {TITLES[other.change]}: {other.what}"
        out.print(Text("not expected  ", style="red") + Text(what))
    if report.expectation and len(report.unexpected) > MOST_ROWS:
        out.print(f"and {len(report.unexpected) - MOST_ROWS} more not expected", style="dim")
    style = {0: "green", 1: "red"}.get(report.exit_code, "yellow")
    out.print(Text(verdict(report), style=f"bold {style}"))


def _show_nodes(report: Replay) -> None:
    """Print what was found at each node, of several."""
    out.print()
    columns(
        ("node", "requests", "judged", "decided otherwise", "not judged"),
        *(
            (
                one.node,
                f"{one.totals.requests:,}",
                f"{one.totals.judged:,}",
                f"{one.totals.judged - one.totals.unchanged:,}",
                f"{one.totals.unjudged:,}",
            )
            for one in report.nodes[:MOST_ROWS]
        ),
    )
    if len(report.nodes) > MOST_ROWS:
        out.print(f"and {len(report.nodes) - MOST_ROWS} more; `--json` and `--html` hold all", style="dim")


def _show_groups(title: str, groups: list[Group]) -> None:
    requests = sum(group.requests for group in groups)
    out.print(Text(f"\n{requests:,} {title}", style="bold"))
    heading = ("requests", "application", "route", "policy", "before", "after")
    rows = [
        (
            f"{group.requests:,}",
            group.application or "(none)",
            str(group.route or "(none)"),
            str(group.policy or "(none)"),
            str(group.before),
            str(group.after),
        )
        for group in groups[:MOST_ROWS]
    ]
    columns(heading, *rows)
    if len(groups) > MOST_ROWS:
        out.print(f"and {len(groups) - MOST_ROWS} more; `--json` and `--html` hold all", style="dim")
    for sample in groups[0].samples[:1]:
        time = sample.time.isoformat(timespec="milliseconds")
        detail = f": {sample.detail}" if sample.detail else ""
        at = f" at {sample.node}" if sample.node else ""
        what = f"for example {time} {sample.method} {sample.path}{at}{detail} (request {sample.id[:12]})"
        out.print(Text(what, style="dim"))
    if groups[0].remedy and groups[0].after.decision == "refuse":
        out.print(Text(f"remedy: {groups[0].remedy}", style="dim"))


def _show_unknown(report: Replay) -> None:
    """What the replay does not know. It is never left out."""
    if report.unjudged:
        out.print(Text(f"\n{report.totals.unjudged:,} could not be judged", style="bold yellow"))
        heading = ("requests", "by", "route", "policy", "what was not recorded")
        rows = [
            (
                f"{row.requests:,}",
                row.by,
                str(row.route or "(none)"),
                str(row.policy or "(none)"),
                row.not_recorded,
            )
            for row in report.unjudged[:MOST_ROWS]
        ]
        columns(heading, *rows)
    notes = list(report.notes())
    if notes:
        out.print()
    for note in notes:
        out.print(Text("note: ", style="yellow") + Text(note))
    if notes or report.groups or report.unjudged:
        out.print()
