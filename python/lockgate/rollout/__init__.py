"""Rollouts: a candidate is asked beside the live revision, serves a growing share, and ends by itself."""

from __future__ import annotations

from lockgate.rollout.commands import (
    Rollout,
    asked,
)
from lockgate.rollout.expectation import (
    MOST_OF_EVERYBODY,
    MOST_OF_NAMED,
    Allowance,
    Expectation,
)
from lockgate.rollout.plan import (
    GuardSettings,
    Metric,
    Needs,
    Percent,
    RolloutPlan,
    Seconds,
    Step,
)
from lockgate.rollout.status import (
    ArmStatus,
    BesideStatus,
    DecisionDifference,
    Differences,
    RolloutStatus,
    Ruling,
    Sample,
    Transition,
)

__all__ = [
    "MOST_OF_EVERYBODY",
    "MOST_OF_NAMED",
    "Allowance",
    "ArmStatus",
    "BesideStatus",
    "DecisionDifference",
    "Differences",
    "Expectation",
    "GuardSettings",
    "Metric",
    "Needs",
    "Percent",
    "Rollout",
    "RolloutPlan",
    "RolloutStatus",
    "Ruling",
    "Sample",
    "Seconds",
    "Step",
    "Transition",
    "asked",
]
