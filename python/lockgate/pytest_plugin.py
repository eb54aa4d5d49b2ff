"""The pytest plugin: the fixture `gateway`, and case files as tests where `lockgate_cases` asks for them."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any, Protocol

import pytest

import lockgate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from os import PathLike
    from pathlib import Path

    from lockgate.models import Case

OPTION = "lockgate_cases"


class OpenGateway(Protocol):
    """Puts a document on the bench; a relative path starts at the folder of the test."""

    def __call__(self, document: str | PathLike[str], *, at: datetime | str | None = None) -> lockgate.Bench:
        """The gateway; `at` is the time of the first call, and now by default."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say which files hold policy tests."""
    told = "names of files with policy tests, such as `*.cases.yaml`: each case is a test; none by default"
    parser.addini(OPTION, told, type="args", default=[])


@pytest.fixture
def gateway(request: pytest.FixtureRequest) -> OpenGateway:
    """Puts gateway documents on the bench: `gateway("gateway.yaml").call("GET", "/orders")`."""

    def open_gateway(document: str | PathLike[str], *, at: datetime | str | None = None) -> lockgate.Bench:
        try:
            return lockgate.Bench(request.path.parent / document, at=at)
        except lockgate.ProblemsError as error:
            pytest.fail(f"the document has errors:\n{_told(error)}", pytrace=False)

    return open_gateway


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> CaseFile | None:
    """Take files with the names that the option gives."""
    patterns = parent.config.getini(OPTION)
    if any(fnmatch(file_path.name, pattern) for pattern in patterns):
        return CaseFile.from_parent(parent, path=file_path)
    return None


def _told(error: lockgate.ProblemsError) -> str:
    """Problems, one a line."""
    # Not at the top: pytest loads this file in every run of an environment that has Lockgate.
    from lockgate.documents import problems_of  # noqa: PLC0415

    lines = (f"{problem}; {problem.help}" if problem.help else str(problem) for problem in problems_of(error))
    return "\n".join(lines)


class CaseFile(pytest.File):
    """A file of cases. The engine runs them all at once, which takes less time than reading the file."""

    def collect(self) -> Iterator[CaseItem]:
        """Every case of the file."""
        try:
            report = lockgate.test(self.path)
        except lockgate.ProblemsError as error:
            raise self.CollectError(_told(error)) from None
        for file in report.files:
            for case in file.cases:
                yield CaseItem.from_parent(self, name=case.name, case=case)


class CaseItem(pytest.Item):
    """One case."""

    def __init__(self, *, case: Case, **others: Any) -> None:  # noqa: ANN401 - what pytest gives every item
        super().__init__(**others)
        self.case = case

    def runtest(self) -> None:
        """Say what was not as it is expected."""
        if not self.case.passed:
            lines = (
                f"{self.path.name}:{one.line}: {one.what}: expected {one.expected}, came {one.came}"
                for one in self.case.failures
            )
            pytest.fail("\n".join(lines), pytrace=False)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The place of the case, counted from 0."""
        return self.path, self.case.line - 1, f"case: {self.name}"
