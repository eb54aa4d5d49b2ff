"""The command, and the forms of its report."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from lockgate.attacks import AttackReport, attack, html, sarif

if TYPE_CHECKING:
    from conftest import Run

WEAK = Path(__file__).parent / "weak"
SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs", "$schema"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "required": ["tool", "results"],
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name", "rules"],
                                "properties": {
                                    "informationUri": {"type": "string", "format": "uri"},
                                    "rules": {
                                        "uniqueItems": True,
                                        "items": {
                                            "required": ["id", "shortDescription", "help"],
                                            "properties": {"shortDescription": {"required": ["text"]}},
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "results": {
                        "items": {
                            "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": {"required": ["text"]},
                                "locations": {
                                    "minItems": 1,
                                    "items": {
                                        "required": ["physicalLocation"],
                                        "properties": {
                                            "physicalLocation": {
                                                "required": ["artifactLocation", "region"],
                                                "properties": {
                                                    "artifactLocation": {
                                                        "properties": {"uri": {"pattern": r"^[^ \\]+$"}}
                                                    },
                                                    "region": {
                                                        "properties": {
                                                            "startLine": {"type": "integer", "minimum": 1}
                                                        }
                                                    },
                                                },
                                            }
                                        },
                                    },
                                },
                            },
                        }
                    },
                },
            },
        },
    },
}
"""What code scanning needs of SARIF 2.1.0, sections 3.13 to 3.30; the schema of OASIS accepts the same."""


@pytest.fixture(scope="module")
def report() -> AttackReport:
    return attack(WEAK / "trusts_everybody.yaml")


def test_sarif_points_at_the_line_to_mend(report: AttackReport) -> None:
    log = json.loads(sarif.render(report))
    jsonschema.validate(log, SARIF)
    (run,) = log["runs"]
    lines = (WEAK / "trusts_everybody.yaml").read_text().splitlines()
    rules = run["tool"]["driver"]["rules"]
    at = {}
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        line = result["locations"][0]["physicalLocation"]["region"]["startLine"]
        at[result["ruleId"]] = lines[line - 1]
    assert (
        "trusted_proxies" in at["attack.fields.client_address"]
        or "offices" in at["attack.fields.client_address"]
    )
    assert "fair-use" in at["attack.limits.evaded"]


class Page(HTMLParser):
    """What a page refers to, and what is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.refers: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.refers += [value or "" for name, value in attrs if name in {"src", "href", "action", "style"}]
        if tag not in {"meta", "br", "img", "link"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else_and_runs_nothing(report: AttackReport) -> None:
    first = report.findings[0].model_copy(update={"detail": "<script>alert(1)</script>"})
    text = html.render(report.model_copy(update={"findings": [first, *report.findings[1:]]}))
    page = Page()
    page.feed(text)
    assert (page.refers, page.open) == ([], [])
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    assert "url(" not in text
    assert "@import" not in text
    for finding in report.findings:
        assert finding.code in text


def test_evidence_holds_no_credential(report: AttackReport) -> None:
    report = attack(WEAK / "key_in_query.yaml")
    text = report.model_dump_json() + sarif.render(report) + html.render(report)
    assert report.findings
    assert not re.search(r"lg_[\w-]{20,}|opaque-[\w-]{20,}", text)
    assert "$CREDENTIAL" in text


def test_a_line_of_curl_says_the_same(report: AttackReport) -> None:
    (finding,) = [f for f in report.findings if f.code == "attack.limits.evaded"]
    line = finding.evidence[-1].curl
    assert line is not None
    assert line.startswith("curl --path-as-is -i -X GET")
    assert "-H 'X-Forwarded-For: 203.0.113.1'" in line
    assert line.endswith('"$GATEWAY"/orders/7')


def test_the_exit_code_follows_the_severity(run: Run, tmp_path: Path) -> None:
    path = WEAK / "key_in_query.yaml"
    only = ("--only", "authentication")
    assert run("attack", path, *only).returncode == 0
    low = run("attack", path, *only, "--fail-at", "low")
    assert low.returncode == 1
    assert "remedy: take the credential from a field" in low.stdout
    assert "attack.auth.credential_in_url" in low.stdout
    broken = tmp_path / "gateway.yaml"
    broken.write_text("lockgate: 1\nlistners: {}\n")
    result = run("attack", broken)
    assert result.returncode == 2
    assert "did you mean `listeners`?" in result.stderr
    assert run("attack", path, "--only", "nothing").returncode == 2
    unwritable = run("attack", path, *only, "--html", tmp_path / "none" / "report.html")
    assert unwritable.returncode == 2
    assert "the report cannot be written" in unwritable.stderr


def test_reports_are_written(run: Run, tmp_path: Path) -> None:
    files = ("--sarif", tmp_path / "a.sarif", "--html", tmp_path / "a.html")
    result = run("attack", WEAK / "open_sibling.yaml", "--only", "authentication", "--json", *files)
    read = AttackReport.model_validate_json(result.stdout)
    (finding,) = read.findings
    assert (finding.code, finding.severity, finding.owasp) == (
        "attack.auth.open_sibling",
        "medium",
        "API2:2023",
    )
    assert finding.evidence[0].reached
    assert json.loads((tmp_path / "a.sarif").read_text())["version"] == "2.1.0"
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")
    assert "sandbox" not in result.stderr
