"""What an attack finds, and what it may find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lockgate.models import Model

Severity = Literal["critical", "high", "medium", "low", "info"]
Certainty = Literal["certain", "likely", "possible"]

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
"""From the worst to the least."""

OWASP = {
    "API1:2023": "Broken Object Level Authorization",
    "API2:2023": "Broken Authentication",
    "API3:2023": "Broken Object Property Level Authorization",
    "API4:2023": "Unrestricted Resource Consumption",
    "API5:2023": "Broken Function Level Authorization",
    "API6:2023": "Unrestricted Access to Sensitive Business Flows",
    "API7:2023": "Server Side Request Forgery",
    "API8:2023": "Security Misconfiguration",
    "API9:2023": "Improper Inventory Management",
    "API10:2023": "Unsafe Consumption of APIs",
}
"""The classes of the OWASP API Security Top 10 of 2023."""


@dataclass(frozen=True)
class Weakness:
    """A weakness that an attack can find; its code is stable."""

    code: str
    title: str
    severity: Severity
    certainty: Certainty
    owasp: str
    remedy: str
    """What to write in the document."""


class Place(Model):
    """A line of a file of the document."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Evidence(Model):
    """What was sent and what came of it. Credentials are those of the sandbox, and masked."""

    what: str
    request: str
    response: str
    reached: str | None
    """The request as the service got it; absent when it got none."""
    curl: str | None
    """A line that sends the same to a gateway at `$GATEWAY`, when curl can."""


class Finding(Model):
    """A weakness that was found on a route."""

    code: str
    title: str
    severity: Severity
    certainty: Certainty
    owasp: str
    api: str | None
    version: str | None
    route: str | None
    path: str | None
    place: Place
    policy: str | None
    detail: str
    evidence: list[Evidence]
    remedy: str

    @property
    def where(self) -> str:
        """The route for people, or the gateway when it is of no single one."""
        return f"{self.api}/{self.version} {self.route}" if self.route else "the gateway"


class AttackReport(Model):
    """What the attacks on a document found, the worst first."""

    file: str
    revision: str
    findings: list[Finding]
    attacks: dict[str, int]
    """How many requests each family of attacks sent."""
    routes: int
    """How many routes were attacked."""
    unjudged: list[str]
    """What could not be judged, and why."""
    unfinished: list[str]
    """The families of attacks that ran out of time."""

    def at_least(self, severity: Severity) -> list[Finding]:
        """The findings of a severity or a worse one."""
        worst = SEVERITIES[: SEVERITIES.index(severity) + 1]
        return [finding for finding in self.findings if finding.severity in worst]
