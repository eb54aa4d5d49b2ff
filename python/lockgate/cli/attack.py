"""Attacking a document."""

from __future__ import annotations

from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from lockgate import _engine
from lockgate.attacks import FAMILIES, OWASP, SEVERITIES, SandboxError, html, sarif
from lockgate.attacks import attack as run_attacks
from lockgate.cli.documents import Document, Json  # noqa: TC001 - typer reads them
from lockgate.cli.output import err, fail, out, show_problems, write
from lockgate.documents import problems_of

if TYPE_CHECKING:
    from lockgate.attacks import AttackReport, Finding


class FailAt(StrEnum):
    """From which severity findings count."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


At = Annotated[FailAt, typer.Option(help="Exit with 1 when a finding is of this severity or a worse one.")]
Only = Annotated[
    list[str] | None, typer.Option(metavar="FAMILY", help="Run this family only; may be repeated.")
]
Within = Annotated[float, typer.Option(min=1, help="Seconds after which no request is sent.")]
Sarif = Annotated[
    Path | None, typer.Option("--sarif", metavar="PATH", help="Write SARIF 2.1.0, for code scanning.")
]
Html = Annotated[Path | None, typer.Option("--html", metavar="PATH", help="Write a page with all evidence.")]

_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "info": "dim"}
_MOST = 6
"""How many of the same sort are printed."""


def attack(
    file: Document,
    *,
    fail_at: At = FailAt.HIGH,
    only: Only = None,
    within: Within = 120.0,
    sarif_file: Sarif = None,
    html_file: Html = None,
    as_json: Json = False,
) -> None:
    """Attack a document: start it in a sandbox on loopback and send it attacks made from its own routes.

    Nothing but loopback is contacted, services are stood in for, and no secret is read.

    Exit code 0: no finding at or above `--fail-at`; 1: there is one; 2: the document cannot be attacked.
    """
    known = [family.name for family in FAMILIES]
    for name in only or []:
        if name not in known:
            fail(f"there is no family `{name}`; there are {', '.join(known)}")
    try:
        report = _with_progress(file, only, within)
    except _engine.ProblemsError as error:
        show_problems(problems_of(error))
        raise typer.Exit(2) from None
    except SandboxError as error:
        fail(str(error))
    for path, form in ((sarif_file, sarif.render), (html_file, html.render)):
        if path is not None:
            try:
                path.write_text(form(report))
            except OSError as error:
                fail(f"the report cannot be written: {error}")
    if as_json:
        write(report.model_dump_json(indent=2))
    else:
        show(report)
    raise typer.Exit(1 if report.at_least(fail_at.value) else 0)


def _with_progress(file: Path, only: list[str] | None, within: float) -> AttackReport:
    count = len(only) if only else len(FAMILIES)
    style = (TextColumn("{task.description:<16}"), BarColumn(), TextColumn("{task.fields[sent]} requests"))
    with Progress(
        *style, TimeElapsedColumn(), console=err, transient=True, disable=not err.is_terminal
    ) as bar:
        task = bar.add_task("sandbox", total=count, sent=0)

        def hear(family: str, done: int, sent: int) -> None:
            bar.update(task, description=family, completed=done, sent=sent)

        return run_attacks(file, families=only, within=within, progress=hear)


def show(report: AttackReport) -> None:
    """Print weaknesses with their routes, the worst first, and what to write."""
    for (severity, code), grouped in groupby(report.findings, lambda one: (one.severity, one.code)):
        findings = list(grouped)
        first = findings[0]
        head = Text(f"{severity:<9}", style=_STYLES[severity]) + Text(first.title, style="bold")
        out.print(head + Text(f"  {code}", style="dim"))
        alike: dict[str, list[Finding]] = {}
        for finding in findings:
            alike.setdefault(finding.detail, []).append(finding)
        for detail, several in list(alike.items())[:_MOST]:
            _line(detail)
            for finding in several[:_MOST]:
                _line(f"  {finding.where}  {finding.place}", style="dim")
            _rest(len(several), "route")
        _rest(len(alike), "case")
        _line(f"{first.owasp} {OWASP[first.owasp]}, {first.certainty}", style="dim")
        _line(f"remedy: {first.remedy}")
    for note in report.unjudged:
        err.print(Text("not judged: ", style="yellow") + Text(note))
    counts = [
        f"{number} {severity}"
        for severity in SEVERITIES
        if (number := sum(finding.severity == severity for finding in report.findings))
    ]
    sent = f"{sum(report.attacks.values())} requests to {_many(report.routes, 'route')}"
    out.print(Text(f"{report.file}: {sent}, {', '.join(counts) if counts else 'no finding'}"))


def _line(text: str, style: str = "") -> None:
    out.print(Text(f"{'':9}{text}", style=style))


def _rest(count: int, word: str) -> None:
    """How many more there are; the files of `--html`, `--sarif` and `--json` have all."""
    if count > _MOST:
        _line(f"  and {_many(count - _MOST, f'more {word}')}", style="dim")


def _many(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
