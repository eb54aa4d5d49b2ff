"""How a rollout goes, and how its guard judges."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from lockgate.rollout.written import Written

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

Metric = Literal["server_error", "gateway_error", "refusal", "slow", "timeout", "client_error"]
Seconds = Annotated[int, Field(ge=1, le=30 * 86_400)]
Percent = Annotated[float, Field(gt=0, le=100)]


class Needs(Written):
    """What a stage needs before the next one."""

    seconds: Seconds = 60
    """It lasts at least so long."""
    at_most_seconds: Seconds = 14_400
    """After so long without the rest it pauses, and goes back at the guard's deadline."""
    requests: float = Field(default=1_000, ge=0)
    """Requests that the candidate saw."""
    callers: float = Field(default=1, ge=0)
    """Callers of one second that it saw."""
    ratio_below: float | None = Field(default=None, gt=1.1, le=20)
    """What the bound on the ratio of bad rates must be below in canary steps; by default what it can show."""

    def _engine(self, ratio: float) -> dict[str, Any]:
        return {
            "at_least_seconds": self.seconds,
            "at_most_seconds": self.at_most_seconds,
            "requests": self.requests,
            "callers": self.callers,
            "ratio_below": self.ratio_below or ratio,
        }


class Step(Needs):
    """A step of the canary."""

    percent: Percent
    """The share of callers."""
    cap_percent: Percent | None = None
    """The share of requests that it cannot exceed, whoever is chosen; twice the share by default."""
    requests: float = Field(default=300, ge=0)
    """Requests that the candidate served."""


class GuardSettings(Written):
    """How the guard judges; what is absent is as decision 0007 explains it."""

    metrics: tuple[Metric, ...] | None = None
    """The ways of being bad that are tested; all by default."""
    false_alarm: float | None = None
    """The probability that a test rolls back a canary that is no worse."""
    false_promotion: float | None = None
    """The probability that a canary goes up though it is worse than `ratio_below`."""
    tolerable_rate: float | None = None
    """A rate of bad answers that is no harm, whatever the control arm's rate is."""
    unapproved_differences: int | None = Field(default=None, ge=0)
    """Decisions that may differ without being expected; none by default."""
    shadow_cpu_share: float | None = None
    """The share of processor time that asking the candidate may take."""
    missing_after_seconds: Seconds | None = None
    """Without a report of traffic for so long, nothing is known."""
    deadline_seconds: Seconds | None = None
    """After how long a pause becomes a roll-back."""


class RolloutPlan(Written):
    """How a rollout goes from shadow to last good. No stage can be left out, nor be shorter than a second."""

    shadow: Needs = Needs()
    """The candidate is asked beside the live revision."""
    steps: tuple[Step, ...] = Field(
        default_factory=lambda: (Step(percent=1), Step(percent=5), Step(percent=25), Step(percent=50))
    )
    """It serves a growing share; 1, 5, 25 and 50 % by default."""
    live: Needs = Needs()
    """It serves everybody, and has to show that it can."""
    bake: Needs = Needs(seconds=3_600, at_most_seconds=86_400, requests=10_000)
    """It serves everybody until it counts as good."""
    guard: GuardSettings = GuardSettings()
    """How the guard judges."""

    @classmethod
    def read(cls, path: str | PathLike[str]) -> RolloutPlan:
        """Read a plan from a JSON file.

        Raises:
            OSError: The file cannot be read.
            ValueError: It holds no plan.
        """
        return cls.model_validate_json(Path(path).read_text(encoding="utf-8"))

    @classmethod
    def even(cls, percents: Iterable[float], *, seconds: int, requests: int, bake: int) -> RolloutPlan:
        """A plan whose stages need the same.

        Args:
            percents: The steps of the canary.
            seconds: How long each stage but the last lasts at least.
            requests: The requests that the candidate sees in each stage.
            bake: Seconds until a live candidate counts as good.
        """
        stage = Needs(seconds=seconds, requests=requests)
        return cls(
            shadow=stage,
            steps=tuple(Step(percent=percent, seconds=seconds, requests=requests) for percent in percents),
            live=stage,
            bake=Needs(seconds=bake, at_most_seconds=max(86_400, 2 * bake), requests=requests),
        )

    def engine(self) -> dict[str, Any]:
        """The plan as the engine takes it: shares in hundredths of a percent."""
        steps = [
            {
                "share": round(step.percent * 100),
                "cap": round((step.cap_percent or min(100.0, 2 * step.percent)) * 100),
                "needs": step._engine(_shown_by(step.percent)),  # noqa: SLF001 - the same file
            }
            for step in self.steps
        ]
        stages = {
            name: getattr(self, name)._engine(ratio)  # noqa: SLF001 - the same file
            for name, ratio in (("shadow", 10.0), ("live", 2.0), ("bake", 2.0))
        }
        return {
            "plan": {**stages, "steps": steps},
            "settings": self.guard.model_dump(exclude_none=True, mode="json"),
        }


def _shown_by(percent: float) -> float:
    """The ratio that a step can show in reasonable time: at 1 % one below 2 would take hours."""
    return next(ratio for up_to, ratio in ((1, 10.0), (5, 5.0), (25, 3.0), (100, 2.0)) if percent <= up_to)
