"""The table of the suite says what the tests said, and leaves nothing out."""

from __future__ import annotations

import ast
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from failures import report
from failures.report import CLASSES, PAGE, RECORDS, RESULTS, Record, keep, markdown, read, rows, shown, write

if TYPE_CHECKING:
    import pytest

HERE = Path(__file__).parent


def test_every_class_has_a_row_and_says_when_it_is_not_covered() -> None:
    table = rows([Record("F2", "a", "check", 0, 0.0)], Counter(), Counter())
    assert [row.id for row in table] == [f"F{number}" for number in range(1, 24)] == [*CLASSES]
    said = {row.id: row.caught for row in table}
    assert (said["F1"], said["F2"], said["F14"]) == ("not covered", "check", "not covered")


def test_a_row_is_the_worst_of_its_cases_and_names_gaps_once() -> None:
    records = [
        Record("F8", "a", "canary", 3, 1.25),
        Record("F8", "b", "check", 0, 0.0),
        Record("F8", "c", "none", 7, 0.5, 1, "it is not stopped"),
        Record("F8", "d", "none", 0, 0.0, 0, "it is not stopped"),
    ]
    (row,) = (row for row in rows(records, Counter(), Counter()) if row.id == "F8")
    assert row.cells[2:] == ["check, canary; not everywhere", "10", "1.2", "1"]
    text = markdown(rows(records, Counter(), Counter()))
    assert text.count("- F8: it is not stopped.") == 1
    assert len([line for line in text.splitlines() if line.startswith("| F")]) == len(CLASSES)


def test_a_test_that_failed_is_in_the_table_though_it_reported(tmp_path: Path) -> None:
    record = {"id": "F4", "case": "a", "stage": "node", "bad": 0, "seconds": 0.0, "human": 0, "gap": ""}
    (tmp_path / RECORDS).write_text(json.dumps(record) + "\n")
    (tmp_path / RESULTS).write_text(
        '<testsuites><testsuite><testcase classname="tests.failures.test_f04_version_skew" name="a"/>'
        '<testcase classname="tests.failures.test_f04_version_skew" name="b"><failure/></testcase>'
        "</testsuite></testsuites>"
    )
    (row,) = (row for row in read(tmp_path) if row.id == "F4")
    assert row.caught == "1 of 2 tests failed"
    assert [row.caught for row in read(tmp_path / "nowhere") if row.id == "F4"] == ["not covered"]


def test_the_table_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    for _ in range(2):
        write(page, rows([], Counter(), Counter()))
        text = page.read_text()
        assert text.startswith("before\n")
        assert text.endswith("\nafter\n")
        assert "old" not in text
        assert text.count(report.BEGIN) == text.count(report.END) == 1


def test_a_class_that_was_not_tried_keeps_what_the_page_says_of_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{report.BEGIN}\n{report.END}\n")
    before = [Record("F8", "a", "none", 7, 0.5, 1, "it is not stopped"), Record("F2", "b", "check", 0, 0.0)]
    write(page, rows(before, Counter(), Counter()))
    table = rows([Record("F2", "b", "node", 3, 0.0)], Counter(F2=1), Counter())
    keep(table, page)
    write(page, table)
    text = page.read_text()
    assert "| F8 | a change that reaches everybody at once | not covered | 7 | 0.5 | 1 |" in text
    assert "- F8: it is not stopped.\n" in text
    assert "| F2 | a field that is empty, blank or null | node | 3 | 0.0 | 0 |" in text


def test_a_run_of_nothing_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["report", str(tmp_path)])
    monkeypatch.setattr(report, "PAGE", tmp_path / "nowhere.md")
    assert report.main() == 1
    assert "no test of the failure suite was run" in capsys.readouterr().err


def test_the_page_of_the_docs_has_the_rows_of_the_suite_and_in_its_words() -> None:
    """An edit by hand of what is not measured anew: `make failures ONLY=...` writes it."""
    text = PAGE.read_text().partition(report.BEGIN)[2].partition(report.END)[0]
    named = [tuple(line.strip("| ").split(" | ")[:2]) for line in text.splitlines() if line.startswith("| F")]
    assert named == [*CLASSES.items()]
    covered = {report.class_of(path.name) for path in HERE.glob("test_f*.py")}
    assert {name for name, row in shown(PAGE).items() if row.caught != "not covered"} == covered
    for name, row in shown(PAGE).items():
        always, sometimes, gaps = said_by_tests(name)
        stages = set(row.caught.removesuffix("; not everywhere").split(", "))
        assert always <= stages <= always | sometimes, name
        assert row.caught.endswith("; not everywhere") == bool(gaps), name
        assert set(row.gaps) == gaps, name
        assert len(row.measured) == 3, name


def said_by_tests(name: str) -> tuple[set[str], set[str], set[str]]:
    """The stages that the tests of a class report in any case and by what they see, and the gaps."""
    always: set[str] = set()
    sometimes: set[str] = set()
    gaps: set[str] = set()
    for path in HERE.glob("test_f*.py"):
        if report.class_of(path.name) != name:
            continue
        tree = ast.parse(path.read_text())
        given = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in ast.walk(tree):
            if not (isinstance(call, ast.Call) and getattr(call.func, "id", "") == "failure_report"):
                continue
            said = {one.arg: one.value for one in call.keywords}
            stage = said["stage"]
            if isinstance(stage, ast.IfExp):
                sometimes |= {ast.literal_eval(stage.body), ast.literal_eval(stage.orelse)}
            else:
                always.add(ast.literal_eval(stage))
            if gap := said.get("gap"):
                gaps.add(ast.literal_eval(given[gap.id] if isinstance(gap, ast.Name) else gap))
    return always - {"none"}, sometimes, gaps
