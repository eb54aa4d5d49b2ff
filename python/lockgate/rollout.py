"""Rollouts: a candidate is asked beside the live revision, serves a growing share, and ends by itself."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lockgate.models import GuardVerdict, Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from os import PathLike

Metric = Literal["server_error", "gateway_error", "refusal", "slow", "timeout", "client_error"]
Seconds = Annotated[int, Field(ge=1, le=30 * 86_400)]
Percent = Annotated[float, Field(gt=0, le=100)]


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Needs(_Input):
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


class GuardSettings(_Input):
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


class RolloutPlan(_Input):
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


MOST_OF_EVERYBODY, MOST_OF_NAMED = 10_000, 1_000_000
"""The most decisions that may be expected to differ: a number that is never reached approves everything."""


class Allowance(_Input):
    """Decisions that are expected to differ."""

    applications: tuple[str, ...] = Field(min_length=1)
    """Whose; `*` is everybody, also who is not identified."""
    at_most: int = Field(ge=1)
    """How many, over the whole rollout: up to 10,000 of everybody, or 1,000,000 of named applications."""

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        if "*" in self.applications and self.at_most > MOST_OF_EVERYBODY:
            message = (
                f"at_most approves {self.at_most} of everybody's decisions, which no rollout reaches; "
                f"write at most {MOST_OF_EVERYBODY}, or name the applications"
            )
            raise ValueError(message)
        if self.at_most > MOST_OF_NAMED:
            message = f"at_most is {self.at_most}, which no rollout reaches; write at most {MOST_OF_NAMED}"
            raise ValueError(message)
        return self


class Expectation(_Input):
    """What a change says of itself. What is absent is not expected: the first such decision rolls back."""

    newly_refused: Allowance | None = None
    """What the candidate refuses and the base does not."""
    newly_allowed: Allowance | None = None
    """What the candidate lets through and the base does not."""
    other: Allowance | None = None
    """What is refused for another reason, or answered otherwise."""

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Expectation:
        """Read an expectation from a JSON file.

        Raises:
            OSError: The file cannot be read.
            ValueError: It holds no expectation.
        """
        return cls.model_validate_json(Path(path).read_text(encoding="utf-8"))


class ArmStatus(Model):
    """An arm: requests, callers and latency of the stage, bad answers of the whole rollout."""

    requests: int
    callers: float
    bad: dict[str, int]
    p50_ms: float | None
    p99_ms: float | None

    @property
    def bad_answers(self) -> int:
        """Bad answers of all metrics."""
        return sum(self.bad.values())


class BesideStatus(Model):
    """What became of requests about which the other revision was asked."""

    judged: int
    shed: int
    unjudged: dict[str, int]
    cpu_share: float
    cpu_share_at_most: float


class Ruling(Model):
    """What a revision decided."""

    decision: Literal["forward", "respond", "refuse"]
    code: str | None = None
    status: int | None = None

    def __str__(self) -> str:
        return " ".join(str(part) for part in (self.decision, self.status, self.code) if part)


class Sample(Model):
    """A request of a group; `id` finds it in the recording."""

    id: str
    at: int
    method: str


class DecisionDifference(Model):
    """Requests about which the revisions decide differently in the same way."""

    change: Literal["newly_allowed", "newly_refused", "other"]
    approved: bool
    application: str | None
    api: str | None = None
    version: str | None = None
    route: str | None = None
    path: str | None = None
    policy: str | None
    base: Ruling
    candidate: Ruling
    count: int
    samples: list[Sample]


class Differences(Model):
    """All differences; what is in no group came after 256 of them."""

    groups: list[DecisionDifference]
    in_no_group: int
    approved: dict[str, int]


class Transition(Model):
    """A change of stage, or a pause within one."""

    at: int
    from_: str = Field(alias="from")
    to: str
    cause: dict[str, Any]

    @property
    def time(self) -> datetime:
        """When it was."""
        return datetime.fromtimestamp(self.at / 1_000_000, UTC)


class RolloutStatus(Model):
    """A rollout as the node sees it; times are microseconds."""

    id: str
    reason: str
    base: str
    candidate: str
    started: int
    now: int
    running: bool
    stage: str
    step: int | None
    share_percent: float
    cap_percent: float | None
    paused: bool
    verdict: GuardVerdict | None
    slower_than_ms: float | None
    canary: ArmStatus
    control: ArmStatus
    beside: BesideStatus
    differences: Differences
    expect: Expectation
    history: list[Transition]

    @property
    def rolled_back(self) -> bool:
        """Whether it has ended with the revision that it began with."""
        return self.stage == "rolled back"

    @property
    def why(self) -> str:
        """What is happening, in a sentence."""
        return _why(self)


_METRICS = {
    "server_error": "errors of the service (5xx)",
    "gateway_error": "failures of the gateway",
    "client_error": "refusals of the service",
    "refusal": "refusals",
    "slow": "slow answers",
    "timeout": "timeouts",
}
_STOPS = {
    "panic": "the candidate panicked",
    "taster_died": "the process that tried the candidate died",
    "last_good_not_written": "the last good revision could not be written",
}
_CHANGES = {
    "newly_allowed": "it allows what the base refuses",
    "newly_refused": "it refuses what the base allows",
    "other": "it refuses or answers otherwise",
}


def _why(status: RolloutStatus) -> str:
    verdict = status.verdict
    last = status.history[-1].cause if status.history else {}
    if not status.running and last.get("by") == "person":
        return "a person ended it"
    if verdict is None or verdict.why is None:
        return _waiting(status)
    why = verdict.why
    metric = _METRICS.get(why.metric or "", "bad answers")
    sentences = {
        "hard_stop": _STOPS.get(why.what or "", "a hard stop"),
        "decisions": f"{_CHANGES.get(why.change or '', 'decisions differ')}, and that was not expected",
        "worse": f"the candidate has more {metric} than the base",
        "became_worse": f"the candidate has had more {metric} than the base for a while",
        "one_caller": f"one caller alone has more {metric} in the canary",
        "above_baseline": f"there are more {metric} than there were before; an outage or a fault",
        "over_cap": "the candidate has more of the traffic than its cap",
        "shadow_cost": "asking the candidate takes too much processor time",
        "missing_data": f"nobody reports traffic of the {why.arm or ''} arm",
        "not_enough_evidence": "the stage has lasted its longest time without what it needs",
    }
    return sentences.get(why.reason, why.reason)


def _waiting(status: RolloutStatus) -> str:
    if not status.running:
        return "it has ended"
    if status.verdict is None or not status.verdict.waiting_for:
        return "the guard has no objection"
    needs = [
        f"{waiting.has or 0:g} of {waiting.needs or 0:g} {waiting.what}"
        if waiting.bounds is None
        else f"certainty about {_METRICS.get(waiting.bounds.metric, waiting.bounds.metric)}"
        for waiting in status.verdict.waiting_for
    ]
    return f"waiting for {', '.join(needs)}"


def asked(
    candidate: str | PathLike[str],
    *,
    plan: RolloutPlan | None = None,
    chosen: Iterable[str] = (),
    excluded: Iterable[str] = (),
    expect: Expectation | None = None,
    reason: str = "",
) -> str:
    """The body of `POST /rollout`."""
    body = {
        "candidate": str(Path(candidate).resolve()),
        "reason": reason,
        "chosen": list(chosen),
        "excluded": list(excluded),
        "expect": (expect or Expectation()).model_dump(exclude_none=True, mode="json"),
        **(plan or RolloutPlan()).engine(),
    }
    return json.dumps(body)


class _Node(Protocol):
    def rollout(self) -> str | None: ...
    def command_rollout(self, command: str) -> None: ...


class Rollout:
    """A rollout of a gateway in this process.

    Raises of all commands:
        ValueError: It cannot be followed; the message says why.
    """

    def __init__(self, node: _Node) -> None:
        self._node = node

    def status(self) -> RolloutStatus:
        """What is known now.

        Raises:
            ValueError: There was no rollout yet.
        """
        status = self._node.rollout()
        if status is None:
            message = "there was no rollout; begin one with `rollout(candidate)`"
            raise ValueError(message)
        return RolloutStatus.model_validate_json(status)

    def promote(self) -> None:
        """Go to the next stage without certainty; never before a step's time, nor out of the bake."""
        self._node.command_rollout("promote")

    def pause(self) -> None:
        """Stay in this stage; the guard still watches."""
        self._node.command_rollout("pause")

    def resume(self) -> None:
        """Go on after a pause."""
        self._node.command_rollout("start")

    def abort(self) -> None:
        """Go back to the revision that it began with."""
        self._node.command_rollout("abort")

    def wait(
        self,
        until: Callable[[RolloutStatus], bool] | None = None,
        *,
        seconds: float = 3_600.0,
    ) -> RolloutStatus:
        """Wait until something holds; by default, until it has ended.

        Raises:
            TimeoutError: It does not hold within so many seconds.
        """
        end, status = time.monotonic() + seconds, self.status()
        while not (until(status) if until else not status.running):
            if time.monotonic() > end:
                message = f"after {seconds:g} s the rollout is in `{status.stage}`: {status.why}"
                raise TimeoutError(message)
            time.sleep(0.05)
            status = self.status()
        return status
