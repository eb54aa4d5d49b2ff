"""Policies tested in Python: the gateway on the bench, and the pytest plugin."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import lockgate
import pytest
from lockgate import Answer, Bench

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
FIRST = ROOT / "examples" / "first-policy" / "gateway.yaml"
SHOP = ROOT / "examples" / "shop" / "gateway.yaml"
AT = "2027-01-15T08:00:00Z"


def test_limits_count_from_call_to_call_and_only_the_test_moves_the_clock() -> None:
    bench = Bench(FIRST, at=AT)
    decisions = [bench.call("GET", "/files/a.txt", application="shop").decision for _ in range(11)]
    assert decisions == ["forward"] * 10 + ["refuse"]
    bench.wait(20)
    refused = bench.call("GET", "/files/a.txt", application="shop")
    assert (refused.code, refused.status, dict(refused.headers)["retry-after"]) == (
        "rate_limit.exceeded",
        429,
        "40",
    )
    bench.wait(timedelta(seconds=40))
    assert bench.now == datetime(2027, 1, 15, 8, 1, tzinfo=UTC)
    assert bench.call("GET", "/files/a.txt", application="shop").decision == "forward"


def test_a_call_has_what_a_request_has() -> None:
    bench = Bench(SHOP, at=datetime(2027, 1, 15, 8))  # noqa: DTZ001 - a time without a zone is UTC
    order = {"customer": "許", "lines": [{"sku": "mug-001", "quantity": 1}]}
    taken = bench.call("POST", "/sales/v2/orders", application="storefront", json=order)
    assert (taken.decision, taken.application) == ("forward", "storefront")
    refused = bench.call("POST", "/sales/v2/orders", application="storefront", json=order | {"paid": True})
    assert refused.code == "schema.refused"
    plain = {"Content-Type": "text/plain"}
    assert (
        bench.call("POST", "/sales/v2/orders", application="storefront", headers=plain, body="a").status
        == 415
    )
    assert bench.call("GET", "/robots.txt", client="127.0.0.66").code == "ip_filter.refused"
    named = Answer(json=order | {"id": 1, "created": AT})
    shown = bench.call("GET", "/sales/v2/orders/1", application="reports", answer=named)
    assert shown.body is not None
    assert '"customer": "[redacted]"' in shown.body


def test_a_call_that_makes_no_sense_is_refused_with_what_to_write() -> None:
    bench = Bench(FIRST)
    wrong: list[tuple[Callable[[], object], str]] = [
        (
            lambda: bench.call("GET", "/files/a", application="shpo"),
            "unknown application `shpo`; did you mean `shop`",
        ),
        (lambda: bench.call("GET", "/nowhere", application="shop"), "no route takes this request"),
        (lambda: bench.call("GET", "nowhere"), "`nowhere` is neither a path nor a URL"),
        (lambda: bench.call("GET", "/", client="me"), "`me` is not an address"),
        (lambda: bench.call("GET", "/files/a", body="a", json={}), "write either `body` or `json`"),
        (lambda: bench.call("GET", "/files/a", facts=["unavailable"]), "nobody asked for 1 of the facts"),
        (lambda: bench.wait(-1), "the clock of a gateway never goes back"),
    ]
    for call, message in wrong:
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(lockgate.ProblemsError):
        Bench(ROOT / "pyproject.toml")


@pytest.fixture
def project(pytester: pytest.Pytester) -> Path:
    """A project of somebody else, with a gateway and its tests."""
    for name in ("gateway.yaml", "cases.yaml"):
        shutil.copy(FIRST.with_name(name), pytester.path / name)
    pytester.makepyfile(
        test_gateway="""
        def test_a_caller_without_a_key_is_told(gateway):
            answer = gateway("gateway.yaml", at="2027-01-15T08:00:00Z").call("GET", "/files/a.txt")
            assert (answer.decision, answer.code) == ("refuse", "api_key.missing")
            assert answer.remedy
        """
    )
    return pytester.path


def run(pytester: pytest.Pytester) -> str:
    result = pytester.runpytest_subprocess("-q")
    assert result.stderr.str() == ""
    return result.stdout.str()


@pytest.mark.usefixtures("project")
def test_the_plugin_gives_a_gateway_and_leaves_case_files_alone(pytester: pytest.Pytester) -> None:
    assert "1 passed" in run(pytester)


def test_case_files_are_tests_where_the_project_says_so(project: Path, pytester: pytest.Pytester) -> None:
    (project / "pytest.ini").write_text("[pytest]\nlockgate_cases = cases.yaml *.cases.yaml\n")
    assert "6 passed" in run(pytester)
    shutil.copy(project / "cases.yaml", project / "more.cases.yaml")
    text = (project / "cases.yaml").read_text()
    (project / "cases.yaml").write_text(text.replace('Retry-After: "40"', 'Retry-After: "41"'))
    told = run(pytester)
    assert "1 failed, 10 passed" in told
    assert "cases.yaml:24: header Retry-After: expected 41, came 40" in told
    assert "case: ten calls a minute pass and the eleventh waits" in told
    assert "Traceback" not in told
    (project / "cases.yaml").write_text(text.replace("decision", "desicion"))
    told = run(pytester)
    assert "did you mean `decision`?" in told
    assert "Traceback" not in told


def test_errors_of_a_document_are_said_and_not_traced(project: Path, pytester: pytest.Pytester) -> None:
    document = project / "gateway.yaml"
    document.write_text(document.read_text().replace("rate_limit", "rate_limt"))
    told = run(pytester)
    assert "did you mean `rate_limit`?" in told
    assert "1 failed" in told
    assert "Traceback" not in told
