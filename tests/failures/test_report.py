"""The table of the suite says what the tests said, and leaves nothing out."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from failures import report
from failures.report import CLASSES, PAGE, RECORDS, RESULTS, Record, markdown, read, rows, write

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


def test_the_page_of_the_docs_shows_every_class_as_the_files_of_the_suite_cover_them() -> None:
    shown = {
        line.split(" | ")[0].strip("| "): line.split(" | ")[2]
        for line in PAGE.read_text().partition(report.BEGIN)[2].partition(report.END)[0].splitlines()
        if line.startswith("| F")
    }
    assert [*shown] == [*CLASSES]
    covered = {report.class_of(path.name) for path in HERE.glob("test_f*.py")}
    assert {name for name, caught in shown.items() if caught != "not covered"} == covered
