"""The statistics that stop a rollout, to try on one's own numbers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from lockgate import _engine
from lockgate.models import GuardVerdict

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

Arm = Literal["canary", "control"]
Metric = Literal["server_error", "gateway_error", "refusal", "slow", "timeout", "client_error"]
METRICS: tuple[Metric, ...] = (
    "server_error",
    "gateway_error",
    "refusal",
    "slow",
    "timeout",
    "client_error",
)


class Guard:
    """Watches a canary beside its control arm and says whether it goes on, goes up, pauses or goes back.

    Each input carries its time and nothing reads a clock: a past rollout gives the verdicts that it gave.

    Args:
        share: The canary's share of callers, above 0 and below 1.
        started: When it begins.
        cap: The share of requests that it must not exceed; twice `share` by default.
        metrics: The ways of being bad that are tested.
        false_alarm: The probability that a test rolls back a canary that is no worse.
        false_promotion: The probability that a canary goes up though it is worse than `ratio_below`.
        ratio_below: How many times as bad as the control arm it must surely not be to go up.
        tolerable_rate: A rate of bad answers that is no harm, whatever the control arm's rate is.
        requests: The requests that it must have had to go up.
        callers: The callers that one report must have had to go up.
        at_least_seconds: How long it lasts at least.
        at_most_seconds: After how long too little evidence is a reason to pause.
        deadline_seconds: After how long a pause becomes a roll-back.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(
        self,
        *,
        share: float,
        started: datetime,
        cap: float | None = None,
        metrics: Iterable[Metric] = METRICS,
        false_alarm: float = 0.001,
        false_promotion: float = 0.05,
        ratio_below: float = 5.0,
        tolerable_rate: float = 0.005,
        requests: float = 300,
        callers: float = 1,
        at_least_seconds: int = 60,
        at_most_seconds: int = 14_400,
        deadline_seconds: int = 600,
    ) -> None:
        if not 0 < share < 1:
            message = f"`{share}` is no share; write a number above 0 and below 1, such as `0.05`"
            raise ValueError(message)
        cap = min(1.0, 2 * share) if cap is None else cap
        if not share <= cap <= 1:
            message = f"`{cap}` is no cap; write a number from `share` to 1"
            raise ValueError(message)
        start = {
            "at": _micros(started),
            "share": round(share * 10_000),
            "cap": round(cap * 10_000),
            "needs": {
                "at_least_seconds": at_least_seconds,
                "at_most_seconds": at_most_seconds,
                "requests": requests,
                "callers": callers,
                "ratio_below": ratio_below,
            },
            "settings": {
                "metrics": list(metrics),
                "false_alarm": false_alarm,
                "false_promotion": false_promotion,
                "tolerable_rate": tolerable_rate,
                "deadline_seconds": deadline_seconds,
            },
        }
        self._guard = _engine.Guard(json.dumps(start))

    def bad(self, at: datetime, metric: Metric, arm: Arm, *, caller: str, event: str) -> None:
        """Take a bad answer; a caller counts once per metric in ten seconds."""
        self._guard.bad(_micros(at), metric, arm, caller, event)

    def traffic(
        self, at: datetime, *, canary: tuple[float, float] | None, control: tuple[float, float] | None
    ) -> None:
        """Take requests and callers of both arms since the report before; absent when nobody knows them."""
        self._guard.traffic(_micros(at), canary, control)

    def paired(
        self,
        at: datetime,
        change: Literal["newly_allowed", "newly_refused", "other"],
        *,
        event: str,
        approved: bool = False,
    ) -> None:
        """Take a request about which the two revisions decide differently."""
        self._guard.paired(_micros(at), change, event, approved)

    def hard_stop(
        self, at: datetime, what: Literal["panic", "taster_died", "last_good_not_written"], *, event: str
    ) -> None:
        """Take what stops a rollout the first time it happens."""
        self._guard.hard_stop(_micros(at), what, event)

    def verdict(self, at: datetime) -> GuardVerdict:
        """What is to be done at a time."""
        return GuardVerdict.model_validate_json(self._guard.verdict(_micros(at)))


def _micros(time: datetime) -> int:
    return int(time.timestamp() * 1_000_000)
