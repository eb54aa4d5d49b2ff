"""Changes: what shall be served next, with the evidence for it, up to the gate that lets it through.

A change is a directory with `change.yaml`. `run` gathers evidence, `status` says what is missing, `approve`
is for somebody else than the author, `begin` starts the rollout on a running gateway.
"""

from __future__ import annotations

from lockgate.changes.approval import Approval, ApprovalStatus, NotApprovedError
from lockgate.changes.change import FILE, Change, ChangeFile, schema
from lockgate.changes.evidence import Evidence, StepStatus
from lockgate.changes.gate import ChangeStatus, approve, looked_at, run, status
from lockgate.changes.git import GitError
from lockgate.changes.owners import ApiApproval, read_owners
from lockgate.changes.rollout import Began, GateError, begin, note_end
from lockgate.changes.scaffold import BeginError, new, rebase
from lockgate.changes.steps import STEPS, Outcome

__all__ = [
    "FILE",
    "STEPS",
    "ApiApproval",
    "Approval",
    "ApprovalStatus",
    "Began",
    "BeginError",
    "Change",
    "ChangeFile",
    "ChangeStatus",
    "Evidence",
    "GateError",
    "GitError",
    "NotApprovedError",
    "Outcome",
    "StepStatus",
    "approve",
    "begin",
    "looked_at",
    "new",
    "note_end",
    "read_owners",
    "rebase",
    "run",
    "schema",
    "status",
]
