"""Beginning a rollout, and steering one that runs in this process."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lockgate.rollout.expectation import Expectation
from lockgate.rollout.plan import RolloutPlan
from lockgate.rollout.status import RolloutStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from os import PathLike


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
