"""Policy tests through the Python function and the command."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import lockgate
import pytest
from lockgate.cli import app
from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "first-policy"
GATEWAY = EXAMPLE / "gateway.yaml"


def run(*arguments: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["test", *(str(argument) for argument in arguments)])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    """The cases of the example with the wrong moment for the limit to end."""
    path = tmp_path / "cases.yaml"
    text = (EXAMPLE / "cases.yaml").read_text().replace('Retry-After: "40"', 'Retry-After: "41"')
    path.write_text(text.replace("gateway: gateway.yaml", f"gateway: {GATEWAY}"))
    return path


def test_the_cases_of_the_example_pass_and_cover_it() -> None:
    report = lockgate.test(EXAMPLE)
    assert report.passed
    assert report.count == 5
    (coverage,) = report.coverage
    assert [route.lacks for route in coverage.routes] == [[]]
    assert [policy.lacks for policy in coverage.policies] == [[], [], []]
    code, out, err = run(EXAMPLE, "--every-route")
    assert (code, out) == (0, "5 cases in 1 file: all passed\n")
    assert "cases cover 1 of 1 routes and 3 of 3 policies" in err


def test_every_policy_case_of_the_repository_passes_through_the_wheel() -> None:
    report = lockgate.test(ROOT / "tests" / "policies")
    assert [case.failures for _, case in report.failed] == []
    assert report.count > 100


def test_a_case_file_and_a_document_are_not_taken_for_each_other() -> None:
    code, _, err = run(GATEWAY)
    assert code == 2
    assert "this is a gateway document, and no case file" in err
    assert "`lockgate check` is for documents" in err
    (problem,) = lockgate.check(EXAMPLE / "cases.yaml").problems
    assert problem.help == "these are cases: run them with `lockgate test`"


def test_a_failure_says_what_was_expected_and_what_came(failing: Path) -> None:
    code, out, _ = run(failing)
    assert code == 1
    assert f"failed  {failing}:" in out
    assert "ten calls a minute pass and the eleventh waits" in out
    row = next(line for line in out.splitlines() if "Retry-After" in line)
    assert row.split("  ")[0].startswith("11 (line ")
    assert row.split()[-2:] == ["41", "40"]
    assert out.endswith("5 cases in 1 file: 1 failed\n")
    ((_, case),) = lockgate.test(failing).failed
    (failure,) = case.failures
    assert (failure.step, failure.what) == (11, "header Retry-After")
    assert (failure.expected, failure.came) == ("41", "40")


def test_results_come_as_json_and_as_junit(failing: Path, tmp_path: Path) -> None:
    junit = tmp_path / "results.xml"
    code, out, _ = run(failing, "--json", "--junit", junit)
    assert code == 1
    assert sum(bool(case["failures"]) for case in json.loads(out)["files"][0]["cases"]) == 1
    suites = ET.parse(junit).getroot()  # noqa: S314 - our own file
    assert (suites.get("tests"), suites.get("failures")) == ("5", "1")
    (failure,) = suites.iter("failure")
    assert failure.get("message") == "header Retry-After: expected 41, came 40"
    assert failure.text is not None
    assert failure.text.startswith(f"{failing}:")


def test_junit_holds_names_that_xml_cannot(tmp_path: Path) -> None:
    path = tmp_path / "cases.yaml"
    path.write_text(
        f'gateway: {GATEWAY}\ncases: [{{ name: "a\\u0001<&\\"", request: {{ url: /nowhere }}, '
        "expect: { decision: forward } }]\n"
    )
    junit = tmp_path / "results.xml"
    assert run(path, "--junit", junit)[0] == 1
    (case,) = ET.parse(junit).getroot().iter("testcase")  # noqa: S314 - our own file
    assert case.get("name") == 'a\ufffd<&"'


def test_another_gateway_is_tested_with_the_same_cases(tmp_path: Path) -> None:
    candidate = tmp_path / "candidate.yaml"
    candidate.write_text(GATEWAY.read_text().replace("limit: 10", "limit: 9"))
    code, out, _ = run(EXAMPLE, "--gateway", candidate)
    assert code == 1
    assert "10 (line 22)" in out
    assert not lockgate.test(EXAMPLE, gateway=candidate).passed


def test_a_route_that_no_case_has_reached_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cases.yaml"
    path.write_text(
        f"gateway: {GATEWAY}\n"
        "cases: [{ name: a, request: { url: /files/a }, expect: { decision: refuse } }]\n"
    )
    code, _, err = run(path)
    assert code == 0
    assert "route   files/v1 *: no request that is allowed\n" in err
    assert "policy  fair-use (rate_limit, version files/v1)" in err
    assert run(path, "--every-route")[0] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cases: [{ nam: a }]", ":1:11: unknown field `nam`; did you mean `name`?"),
        ("cases: []", ":1:8: the list is empty; write at least one entry, or leave the field out"),
        ("cases: [", "this is not YAML"),
        ("case: []", ":1:1: unknown field `case`; did you mean `cases`?"),
        (
            "cases: [{ name: a, request: { url: /a }, expect: { decision: forward } }]",
            "the field `gateway` is missing",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_no_test_that_passed(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "cases.yaml"
    path.write_text(text)
    code, out, err = run(EXAMPLE, path)
    assert (code, out) == (2, "")
    assert message in err.replace("\n  help: ", "; ")
    assert "Traceback" not in err
    with pytest.raises(lockgate.ProblemsError):
        lockgate.test(path)


def test_paths_that_hold_nothing_are_said(tmp_path: Path) -> None:
    code, _, err = run(tmp_path / "nothing.yaml")
    assert code == 2
    assert "nothing.yaml: the file cannot be read" in err
    code, _, err = run(tmp_path)
    assert code == 2
    assert "the folder holds no case file" in err
    code, _, err = run(EXAMPLE, "--junit", tmp_path / "none" / "results.xml")
    assert code == 2
    assert "the results cannot be written" in err
