"""What the engine says, typed."""

from __future__ import annotations

from lockgate.models.cases import (
    Case,
    CaseFile,
    CaseReport,
    Coverage,
    Failure,
    PolicyCoverage,
    RouteCoverage,
)
from lockgate.models.documents import (
    Applied,
    Check,
    Difference,
    Forwarded,
    PolicyDifference,
    Problem,
    Trace,
    TracedPolicy,
    TracedRoute,
)
from lockgate.models.events import (
    Event,
    ModelCall,
    Prompt,
    Said,
    TakenOut,
    Verdict,
    Words,
)
from lockgate.models.guard import (
    ArmCounts,
    Bounds,
    EventRef,
    Evidence,
    GuardVerdict,
    Reason,
    Waiting,
)
from lockgate.models.model import (
    Model,
)

__all__ = [
    "Applied",
    "ArmCounts",
    "Bounds",
    "Case",
    "CaseFile",
    "CaseReport",
    "Check",
    "Coverage",
    "Difference",
    "Event",
    "EventRef",
    "Evidence",
    "Failure",
    "Forwarded",
    "GuardVerdict",
    "Model",
    "ModelCall",
    "PolicyCoverage",
    "PolicyDifference",
    "Problem",
    "Prompt",
    "Reason",
    "RouteCoverage",
    "Said",
    "TakenOut",
    "Trace",
    "TracedPolicy",
    "TracedRoute",
    "Verdict",
    "Waiting",
    "Words",
]
