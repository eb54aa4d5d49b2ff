"""Penetration tests derived from a document's own routes, run against a sandbox of it on loopback."""

from __future__ import annotations

from lockgate.attacks.findings import OWASP, SEVERITIES, AttackReport, Evidence, Finding
from lockgate.attacks.registry import FAMILIES, WEAKNESSES
from lockgate.attacks.sandbox import SandboxError
from lockgate.attacks.suite import attack

__all__ = [
    "FAMILIES",
    "OWASP",
    "SEVERITIES",
    "WEAKNESSES",
    "AttackReport",
    "Evidence",
    "Finding",
    "SandboxError",
    "attack",
]
