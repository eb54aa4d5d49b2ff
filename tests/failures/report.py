"""What the failure suite says of each class: where it was stopped, whom it hit, and who had to do something.

`make failures` runs the folder and prints the table; `failure_report` is how a test says its part. After a
run of some classes alone the page keeps what it says of the others.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FOLDER = "LOCKGATE_FAILURES"
"""The variable that names the folder for the records; without it nothing is written."""
RECORDS, RESULTS = "records.jsonl", "results.xml"

STAGES = ("check", "test", "replay", "shadow", "canary", "taster", "node", "nodes", "control", "none")
"""Where a failure can be stopped, earliest first; `none` stops nothing.

`nodes` are those of a cluster, one after the other; `control` is what answers them.
"""

CLASSES = {
    "F1": "a regular expression or payload that never ends",
    "F2": "a field that is empty, blank or null",
    "F3": "an artefact over a fixed limit",
    "F4": "publisher and node of different versions",
    "F5": "switching a policy off, for the first time in the emergency",
    "F6": "a quota of zero, below zero, or in the wrong unit",
    "F7": "a valid document that refuses or allows everything",
    "F8": "a change that reaches everybody at once",
    "F9": "a latent fault that a valid document wakes",
    "F10": "a failure that comes later",
    "F11": "a bad document that was kept",
    "F12": "a restart without anybody to ask",
    "F13": "a way back that needs what is broken",
    "F14": "everybody comes back at once",
    "F15": "a late writer, two writers, half a change",
    "F16": "a gate that says yes to everything",
    "F17": "falling back to something weaker",
    "F18": "a key that is removed while it is used",
    "F19": "an emergency rule that outlives its purpose",
    "F20": "metrics that see nothing",
    "F21": "a request that goes in circles",
    "F22": "errors that make more work than answers",
    "F23": "a check that can be attacked",
}
BEGIN, END = "<!-- make failures -->", "<!-- end -->"
PAGE = Path(__file__).parents[2] / "docs" / "guide" / "failures.md"


@dataclass(frozen=True)
class Record:
    """What one case of a class showed; `gap` says what nobody stops yet."""

    id: str
    case: str
    stage: str
    bad: int
    seconds: float
    human: int = 0
    gap: str = ""


class Recovery:
    """Measures how long a block takes to recover: `with recovery():`."""

    seconds = 0.0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds = max(self.seconds, time.monotonic() - began)


@pytest.fixture
def recovery() -> Recovery:
    """Measures; what is reported later takes it from here."""
    return Recovery()


class FailureReport(Protocol):
    """Says how a case went: `failure_report(stage="check", bad=0)`.

    The class is the one of the file, and the seconds are those of `recovery`, unless they are named.
    """

    def __call__(
        self,
        name: str = "",
        *,
        stage: str,
        bad: int,
        seconds: float | None = None,
        human: int = 0,
        gap: str = "",
    ) -> None: ...


def class_of(name: str) -> str:
    """The class that a test file is about, by its name: `test_f04_version_skew` is about F4."""
    found = re.search(r"(?:^|[./])test_f(\d\d)_", name)
    return f"F{int(found[1])}" if found else ""


@pytest.fixture
def failure_report(request: pytest.FixtureRequest, recovery: Recovery) -> FailureReport:
    """Writes one record a call."""

    def report(
        name: str = "",
        *,
        stage: str,
        bad: int,
        seconds: float | None = None,
        human: int = 0,
        gap: str = "",
    ) -> None:
        assert stage in STAGES, f"`{stage}` is no stage; write one of {', '.join(STAGES)}"
        took = recovery.seconds if seconds is None else seconds
        named = name or class_of(request.path.name)
        assert named in CLASSES, f"`{named}` is no class"
        record = Record(named, request.node.name, stage, bad, round(took, 3), human, gap)
        if folder := os.environ.get(FOLDER):
            Path(folder).mkdir(parents=True, exist_ok=True)
            with (Path(folder) / RECORDS).open("a") as records:
                records.write(json.dumps(asdict(record)) + "\n")

    return report


@dataclass(frozen=True)
class Shown:
    """What the page says of a class."""

    caught: str
    measured: tuple[str, ...]
    gaps: tuple[str, ...] = ()


@dataclass
class Row:
    """A class in the table; `kept` is what the page said, when nothing was tried anew."""

    id: str
    about: str
    tests: int = 0
    failed: int = 0
    records: list[Record] = field(default_factory=list)
    kept: Shown | None = None

    @property
    def caught(self) -> str:
        """The stages that stopped it, earliest first; else why there is none."""
        if self.kept:
            return self.kept.caught
        if self.failed:
            return f"{self.failed} of {self.tests} tests failed"
        stages = {record.stage for record in self.records} - {"none"}
        if not stages:
            return "not covered"
        where = ", ".join(stage for stage in STAGES if stage in stages)
        return f"{where}; not everywhere" if self.gaps else where

    @property
    def cells(self) -> list[str]:
        """What the table shows."""
        if self.kept:
            return [self.id, self.about, self.caught, *self.kept.measured]
        if not self.records:
            return [self.id, self.about, self.caught, "", "", ""]
        bad = sum(record.bad for record in self.records)
        seconds = max(record.seconds for record in self.records)
        human = max(record.human for record in self.records)
        return [self.id, self.about, self.caught, f"{bad:,}", f"{seconds:.1f}", str(human)]

    @property
    def gaps(self) -> list[str]:
        """What nobody stops yet."""
        if self.kept:
            return [*self.kept.gaps]
        return list(dict.fromkeys(record.gap for record in self.records if record.gap))


HEAD = ["", "failure", "stopped by", "bad answers", "seconds", "by hand"]


def rows(records: Iterable[Record], tests: Counter[str], failed: Counter[str]) -> list[Row]:
    """All classes in their order; one without a record is there, too."""
    table = {
        name: Row(name, about, tests[name], failed[name])
        for name, about in sorted(CLASSES.items(), key=lambda entry: int(entry[0][1:]))
    }
    for record in records:
        table[record.id].records.append(record)
    return list(table.values())


def read(folder: Path) -> list[Row]:
    """The table of a run."""
    path, results = folder / RECORDS, folder / RESULTS
    lines = path.read_text().splitlines() if path.exists() else []
    tests: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    if results.exists():
        for case in ET.parse(results).getroot().iter("testcase"):  # noqa: S314 - our own file
            name = class_of(case.get("classname", ""))
            tests[name] += 1
            failed[name] += case.find("failure") is not None or case.find("error") is not None
    return rows((Record(**json.loads(line)) for line in lines), tests, failed)


def markdown(table: list[Row]) -> str:
    """The table and its gaps, for the page of the docs."""
    lines = [f"| {' | '.join(HEAD)} |".replace("|  |", "| |", 1), "|---|---|---|--:|--:|--:|"]
    lines += [f"| {' | '.join(row.cells)} |".replace("|  ", "| ") for row in table]
    gaps = [f"- {row.id}: {gap}." for row in table for gap in row.gaps]
    if gaps:
        lines += ["", "What nobody stops yet:", "", *gaps]
    return "\n".join(lines)


def write(page: Path, table: list[Row]) -> None:
    """Put the table between the marks of the page."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{markdown(table)}\n{END}{after}")


def shown(page: Path) -> dict[str, Shown]:
    """What the page says of each class."""
    lines = page.read_text().partition(BEGIN)[2].partition(END)[0].splitlines()
    gaps = [(found[1], found[2]) for line in lines if (found := re.fullmatch(r"- (F\d+): (.*)\.", line))]
    table = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| F")
    )
    return {
        name: Shown(caught, tuple(measured), tuple(gap for of, gap in gaps if of == name))
        for name, _, caught, *measured in table
    }


def keep(table: list[Row], page: Path) -> None:
    """Leave to the page what has tests of which none was run."""
    covered = {class_of(path.name) for path in Path(__file__).parent.glob("test_f*.py")}
    said = shown(page)
    for row in table:
        if row.id in covered and not row.tests:
            row.kept = said.get(row.id)


def main() -> int:
    """Print the table of a run, and put it into the docs when all tests passed."""
    from rich.console import Console  # noqa: PLC0415 - tests need only the fixture
    from rich.table import Table  # noqa: PLC0415 - as above

    parser = argparse.ArgumentParser(description="The table of the failure suite.")
    parser.add_argument("folder", type=Path)
    table = read(parser.parse_args().folder)
    if not any(row.tests for row in table):
        print("error: no test of the failure suite was run", file=sys.stderr)
        return 1
    keep(table, PAGE)
    printed = Table(*HEAD[:3], title="failure suite", title_justify="left")
    for name in HEAD[3:]:
        printed.add_column(name, justify="right")
    for row in table:
        style = "red" if row.failed else "yellow" if row.gaps or not (row.records or row.kept) else None
        printed.add_row(*row.cells, style=style)
    console = Console() if sys.stdout.isatty() else Console(width=120)
    console.print(printed)
    for row in table:
        for gap in row.gaps:
            console.print(f"{row.id} is not stopped everywhere: {gap}", highlight=False)
    if any(row.failed for row in table):
        return 1
    write(PAGE, table)
    console.print(f"written to {PAGE.relative_to(Path.cwd())}", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
