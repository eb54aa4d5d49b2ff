"""A rollout as its page shows it: stages, both arms, the guard's value, where decisions differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockgate.rollout import ArmStatus, DecisionDifference, RolloutStatus

MOST_GROUPS = 50
_STAGES = ("shadow", "canary", "live", "bake", "last good")


@dataclass(frozen=True)
class Stage:
    """A stage, and whether it is over, now, or to come."""

    name: str
    state: str


@dataclass(frozen=True)
class Arm:
    """One side of a rollout."""

    name: str
    status: ArmStatus

    @property
    def what_was_bad(self) -> str:
        """Bad answers by their sort."""
        return ", ".join(
            f"{count:,} {metric.replace('_', ' ')}" for metric, count in self.status.bad.items() if count
        )

    @property
    def rate(self) -> float:
        """Bad answers of all, in percent."""
        return 100 * self.status.bad_answers / self.status.requests if self.status.requests else 0.0


@dataclass(frozen=True)
class Live:
    """A rollout."""

    now: RolloutStatus

    @property
    def stages(self) -> list[Stage]:
        """All stages in their order."""
        here = stage_of(self.now)
        place = _STAGES.index(here) if here in _STAGES else -1
        return [
            Stage(name, "now" if number == place else "over" if number < place else "to come")
            for number, name in enumerate(_STAGES)
        ]

    @property
    def arms(self) -> list[Arm]:
        """The candidate and the base."""
        return [Arm("candidate", self.now.canary), Arm("base", self.now.control)]

    @property
    def guard_share(self) -> float:
        """How near the guard's value is to its threshold, in percent of a bar."""
        evidence = self.now.verdict.evidence if self.now.verdict else None
        if evidence is None:
            return 0.0
        if evidence.threshold <= 0:
            # Of what must not happen at all, the first one is enough.
            return 100.0 if evidence.value > 0 else 0.0
        return round(max(0.0, min(100.0, 100 * evidence.value / evidence.threshold)), 1)

    @property
    def groups(self) -> list[DecisionDifference]:
        """Where decisions differ, those that were not expected first."""
        found = sorted(self.now.differences.groups, key=lambda group: (group.approved, -group.count))
        return found[:MOST_GROUPS]

    @property
    def unjudged(self) -> int:
        """Requests that the candidate could not be asked about."""
        return sum(self.now.beside.unjudged.values())


def stage_of(now: RolloutStatus) -> str:
    """The stage, with the steps of the canary as one."""
    return "canary" if now.step is not None and now.running else now.stage


def phase(now: RolloutStatus) -> str:
    """What its page must be loaded again for: other buttons are to be seen then."""
    return f"{now.id}:{'paused' if now.paused else 'runs'}" if now.running else f"{now.id}:ended"
