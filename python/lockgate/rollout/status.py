"""A rollout as the node sees it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field

from lockgate.models import GuardVerdict, Model
from lockgate.rollout.expectation import Expectation  # noqa: TC001 - models need it when they run
from lockgate.rollout.sentences import what_happens


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
        last = self.history[-1].cause if self.history else {}
        return what_happens(self.verdict, running=self.running, by=last.get("by"))
