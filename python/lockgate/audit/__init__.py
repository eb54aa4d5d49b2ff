"""The audit log: who did what, when, from where and why; its entries hold each other by their hashes."""

from __future__ import annotations

from lockgate.audit.checkpoint import Checkpoint
from lockgate.audit.entry import AuditEntry
from lockgate.audit.identity import someone
from lockgate.audit.log import AuditError, Log, append, entries, write
from lockgate.audit.verify import Fault, Verification, verify
from lockgate.audit.vouch import checkpoint

__all__ = [
    "AuditEntry",
    "AuditError",
    "Checkpoint",
    "Fault",
    "Log",
    "Verification",
    "append",
    "checkpoint",
    "entries",
    "someone",
    "verify",
    "write",
]
