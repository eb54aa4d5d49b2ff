"""Lockgate: an API and AI gateway whose security policies can be changed without breaking anybody.

The functions here take documents as paths and give typed results; nothing opens a port but
`Gateway`, and `attack` in its sandbox.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lockgate._engine import ProblemsError
    from lockgate.attacks import AttackReport, Finding, attack
    from lockgate.cases import test
    from lockgate.documents import check, diff, explain
    from lockgate.gateway import Gateway
    from lockgate.guard import Guard
    from lockgate.models import CaseReport, Check, Difference, Event, GuardVerdict, Problem, Trace
    from lockgate.recording import Recording
    from lockgate.replaying import replay
    from lockgate.replays import Replay
    from lockgate.rollout import Allowance, Expectation, Rollout, RolloutPlan, RolloutStatus, Step
    from lockgate.testing import Answer, Bench

__all__ = [
    "Allowance",
    "Answer",
    "AttackReport",
    "Bench",
    "CaseReport",
    "Check",
    "Difference",
    "Event",
    "Expectation",
    "Finding",
    "Gateway",
    "Guard",
    "GuardVerdict",
    "Problem",
    "ProblemsError",
    "Recording",
    "Replay",
    "Rollout",
    "RolloutPlan",
    "RolloutStatus",
    "Step",
    "Trace",
    "attack",
    "check",
    "diff",
    "explain",
    "replay",
    "test",
]

_HOMES = {
    "ProblemsError": "_engine",
    "AttackReport": "attacks",
    "Finding": "attacks",
    "attack": "attacks",
    "check": "documents",
    "diff": "documents",
    "explain": "documents",
    "Gateway": "gateway",
    "Guard": "guard",
    "Recording": "recording",
    "Replay": "replays",
    "replay": "replaying",
    "test": "cases",
    "Answer": "testing",
    "Bench": "testing",
    "Allowance": "rollout",
    "Expectation": "rollout",
    "Rollout": "rollout",
    "RolloutPlan": "rollout",
    "RolloutStatus": "rollout",
    "Step": "rollout",
}
"""Where a name lives; what is not listed is a model."""


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Import what is asked for, so that a node does not load what only people need (PEP 562)."""
    if name not in __all__:
        message = f"module `lockgate` has no attribute `{name}`"
        raise AttributeError(message)
    return getattr(import_module(f"lockgate.{_HOMES.get(name, 'models')}"), name)
