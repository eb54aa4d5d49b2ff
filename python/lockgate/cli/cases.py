"""Testing policies by cases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from lockgate import _engine
from lockgate import cases as engine
from lockgate.cli.output import columns, err, fail, out, show_problems, write
from lockgate.documents import problems_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.models import CaseReport, Coverage, PolicyCoverage, RouteCoverage


Paths = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATH", help="Case files, or folders of them: YAML files with `cases`.", show_default=False
    ),
]
Candidate = Annotated[
    Path | None,
    typer.Option("--gateway", help="Test this document in place of the one that each file names."),
]
Junit = Annotated[Path | None, typer.Option(help="Write the results as JUnit XML, for CI.")]
EveryRoute = Annotated[
    bool,
    typer.Option(
        "--every-route", help="Fail also when a route lacks a case that is allowed or one that is refused."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def run_cases(
    paths: Paths,
    *,
    gateway: Candidate = None,
    junit: Junit = None,
    every_route: EveryRoute = False,
    as_json: Json = False,
) -> None:
    """Test policies: send the requests of case files through the engine and compare what comes.

    No port is opened. Exit code 0: all cases passed; 1: a case failed; 2: a file cannot be read.
    """
    try:
        report = engine.test(*paths, gateway=gateway)
    except _engine.ProblemsError as error:
        show_problems(problems_of(error))
        raise typer.Exit(2) from None
    if junit is not None:
        try:
            junit.write_text(engine.junit(report))
        except OSError as error:
            fail(f"the results cannot be written: {error}")
    bare = every_route and any(route.lacks for coverage in report.coverage for route in coverage.routes)
    if as_json:
        write(report.model_dump_json(indent=2))
    else:
        show(report)
    raise typer.Exit(0 if report.passed and not bare else 1)


def show(report: CaseReport) -> None:
    """Print the cases that failed and what no case has seen."""
    for file, case in report.failed:
        out.print(Text("failed  ", style="red") + Text(f"{file.file}:{case.line}  {case.name}", style="bold"))
        rows = [
            (f"{failure.step} (line {failure.line})", failure.what, failure.expected, failure.came)
            for failure in case.failures
        ]
        columns(("request", "what", "expected", "came"), *rows)
    for coverage in report.coverage:
        _show_coverage(coverage)
    failed = len(report.failed)
    last = f"{report.count} cases in {_many(len(report.files), 'file')}: "
    last += f"{failed} failed" if failed else "all passed"
    out.print(Text(last, style="red" if failed else "green"))


def _show_coverage(coverage: Coverage) -> None:
    """What no case has seen. What is covered needs no line of its own."""
    routes, policies = coverage.routes, coverage.policies
    err.print(
        Text(
            f"{coverage.gateway}: cases cover {_covered(routes)} routes and {_covered(policies)} policies",
            style="dim",
        )
    )
    rows = [("route", f"{row.api}/{row.version} {row.id}", _lacking(row)) for row in routes if row.lacks]
    rows += [
        ("policy", f"{row.id} ({row.kind}, {row.origin})", _lacking(row)) for row in policies if row.lacks
    ]
    for sort, name, lacks in rows:
        err.print(Text(f"  {sort:<6}  {name}: {lacks}", style="dim"))


def _covered(rows: Sequence[RouteCoverage | PolicyCoverage]) -> str:
    return f"{sum(not row.lacks for row in rows)} of {len(rows)}"


def _lacking(row: RouteCoverage | PolicyCoverage) -> str:
    return " and ".join(f"no request that is {sort}" for sort in row.lacks)


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
