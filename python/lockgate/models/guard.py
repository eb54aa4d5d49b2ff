"""What the guard of a rollout says."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lockgate.models.model import Model


class Reason(Model):
    """Why a rollout is stopped; which of the other fields are present depends on `reason`."""

    reason: str
    metric: str | None = None
    arm: Literal["canary", "control"] | None = None
    what: str | None = None
    change: str | None = None


class ArmCounts(Model):
    """Of an arm: requests of the stage, bad events and those that counted, one for each caller and window."""

    requests: float
    bad: int
    counted: int


class EventRef(Model):
    """An event that is part of the evidence; `at` is in microseconds."""

    id: str
    at: int
    arm: Literal["canary", "control"]


class Evidence(Model):
    """Behind a verdict: what was measured, what it had to stay below, and the events that made it."""

    value: float
    threshold: float
    canary: ArmCounts
    control: ArmCounts
    events: list[EventRef]


class Bounds(Model):
    """Upper bounds of a metric; one of them must be low enough. A ratio that may be above 21 has none."""

    metric: str
    ratio_upper: float | None
    ratio_below: float
    rate_upper: float
    tolerable_rate: float


class Waiting(Model):
    """What a stage still needs."""

    what: Literal["seconds", "requests", "callers", "certainty"]
    has: float | None = None
    needs: float | None = None
    bounds: Bounds | None = None


class GuardVerdict(Model):
    """What the guard says: `deadline`, in microseconds, is when a pause becomes a roll-back."""

    verdict: Literal["continue", "promote", "roll_back", "pause"]
    why: Reason | None = None
    evidence: Evidence | None = None
    deadline: int | None = None
    waiting_for: list[Waiting] = Field(default_factory=list)
    bounds: list[Bounds] = Field(default_factory=list)
