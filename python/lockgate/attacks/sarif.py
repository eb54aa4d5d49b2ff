"""A report as SARIF 2.1.0, the form that code scanners and reviews read."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lockgate.attacks.findings import OWASP, Severity
from lockgate.attacks.registry import WEAKNESSES

if TYPE_CHECKING:
    from lockgate.attacks.findings import AttackReport, Finding, Weakness

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: dict[Severity, str] = {
    "critical": "error",
    "high": "error",
    "medium": "warning",
    "low": "note",
    "info": "note",
}
_SCORES: dict[Severity, str] = {
    "critical": "9.5",
    "high": "8.0",
    "medium": "5.5",
    "low": "3.0",
    "info": "0.0",
}
"""What code scanning sorts by, in the ranges of CVSS."""


def render(report: AttackReport) -> str:
    """The report as a SARIF log."""
    rules = list(dict.fromkeys(finding.code for finding in report.findings))
    driver = {
        "name": "lockgate attack",
        "version": version("lockgate"),
        "informationUri": "https://owasp.org/API-Security/editions/2023/en/0x11-t10/",
        "rules": [_rule(WEAKNESSES[code]) for code in rules],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, rules.index(finding.code)) for finding in report.findings],
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [
                    {"level": "warning", "message": {"text": f"not judged: {note}"}}
                    for note in report.unjudged
                ],
            }
        ],
        "properties": {"revision": report.revision, "requests": report.attacks},
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2) + "\n"


def _rule(weakness: Weakness) -> dict[str, Any]:
    return {
        "id": weakness.code,
        "name": "".join(word.capitalize() for word in weakness.code.replace("_", ".").split(".")),
        "shortDescription": {"text": weakness.title},
        "fullDescription": {"text": f"{weakness.title} ({weakness.owasp}, {OWASP[weakness.owasp]})"},
        "help": {"text": weakness.remedy},
        "defaultConfiguration": {"level": _LEVELS[weakness.severity]},
        "properties": {
            "security-severity": _SCORES[weakness.severity],
            "tags": ["security", weakness.owasp],
        },
    }


def _result(finding: Finding, rule: int) -> dict[str, Any]:
    location = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(finding.place.file)},
            "region": {"startLine": finding.place.line},
        }
    }
    return {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.where}: {finding.detail}. Remedy: {finding.remedy}"},
        "locations": [location],
        "partialFingerprints": {"lockgate/v1": f"{finding.code} {finding.where}"},
        "properties": {
            "severity": finding.severity,
            "certainty": finding.certainty,
            "owasp": finding.owasp,
            "route": finding.where,
            "policy": finding.policy,
            "evidence": [evidence.model_dump() for evidence in finding.evidence],
        },
    }


def _uri(file: str) -> str:
    """A relative path stays one, so that it is found in the repository; an absolute one becomes a URI."""
    path = Path(file)
    if path.is_absolute():
        return path.as_uri()
    return quote(str(PurePath(path).as_posix()))
