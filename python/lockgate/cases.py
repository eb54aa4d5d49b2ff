"""Policy tests: requests with what is expected of them. Nothing here reads a secret or opens a connection."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from lockgate import _engine
from lockgate.models import CaseReport

if TYPE_CHECKING:
    from os import PathLike

    from lockgate.models import Case, CaseFile


def test(
    *paths: str | PathLike[str],
    gateway: str | PathLike[str] | None = None,  # noqa: PT028 - not a test of pytest
) -> CaseReport:
    """Run case files through the engine that serves traffic.

    Args:
        paths: Case files; of a folder, all YAML and JSON files in it that have `cases`.
        gateway: The document to test, in place of the one that each file names.

    Raises:
        ProblemsError: A file or a gateway has errors; nothing counts as run.
    """
    return CaseReport.model_validate_json(_engine.test(list(paths), gateway))


test.__test__ = False  # type: ignore[attr-defined] # pytest takes a function of this name for one of its own


def junit(report: CaseReport) -> str:
    """The report as JUnit XML, the form that CI systems read."""
    suites = ET.Element("testsuites", tests=str(report.count), failures=str(len(report.failed)))
    for file in report.files:
        failed = sum(not case.passed for case in file.cases)
        suite = ET.SubElement(
            suites, "testsuite", name=file.file, tests=str(len(file.cases)), failures=str(failed)
        )
        for case in file.cases:
            _junit_case(suite, file, case)
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _junit_case(suite: ET.Element, file: CaseFile, case: Case) -> None:
    element = ET.SubElement(
        suite,
        "testcase",
        classname=_text(file.file),
        name=_text(case.name),
        file=_text(file.file),
        line=str(case.line),
    )
    if case.passed:
        return
    lines = [
        f"{file.file}:{failure.line}: {failure.what}: expected {failure.expected}, came {failure.came}"
        for failure in case.failures
    ]
    first = case.failures[0]
    message = f"{first.what}: expected {first.expected}, came {first.came}"
    ET.SubElement(element, "failure", message=_text(message)).text = _text("\n".join(lines))


def _text(text: str) -> str:
    """Text as XML 1.0 can hold it (section 2.2): other characters are replaced."""
    return "".join(char if char in "\t\n" or ord(char) >= 0x20 else "\ufffd" for char in text)
