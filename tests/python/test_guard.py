"""The guard's statistics, from Python."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta

import lockgate
import pytest

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def second(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def five_percent() -> lockgate.Guard:
    return lockgate.Guard(share=0.05, started=NOON)


def rollout(canary: float, control: float, *, seconds: int = 1_800) -> tuple[int, lockgate.GuardVerdict]:
    """100 requests a second of 200 callers with these rates of bad answers: when it ends, and how."""
    guard, dice = five_percent(), random.Random(7)
    verdict = guard.verdict(NOON)
    for at in range(1, seconds + 1):
        for number in range(100):
            is_canary = number < 5
            if dice.random() < (canary if is_canary else control):
                caller = f"{'canary' if is_canary else 'control'}-{dice.randrange(10 if is_canary else 190)}"
                guard.bad(
                    second(at),
                    "server_error",
                    "canary" if is_canary else "control",
                    caller=caller,
                    event=f"{at}-{number}",
                )
        if at % 10 == 0:
            guard.traffic(second(at), canary=(50, 10), control=(950, 190))
        verdict = guard.verdict(second(at))
        if verdict.verdict in {"promote", "roll_back"}:
            return at, verdict
    return seconds, verdict


def test_a_broken_canary_is_rolled_back_in_seconds_with_the_events_that_show_it() -> None:
    at, verdict = rollout(1.0, 0.002)
    assert (verdict.verdict, at <= 5) == ("roll_back", True)
    assert verdict.why is not None
    assert (verdict.why.reason, verdict.why.metric) == ("worse", "server_error")
    assert verdict.evidence is not None
    assert verdict.evidence.value >= verdict.evidence.threshold
    assert {event.arm for event in verdict.evidence.events} >= {"canary"}
    assert verdict.evidence.events[0].id.startswith("1-")


def test_a_healthy_canary_goes_up_and_says_what_is_known() -> None:
    at, verdict = rollout(0.002, 0.002)
    assert (verdict.verdict, at >= 60) == ("promote", True)
    assert len(verdict.bounds) == 6
    for bounds in verdict.bounds:
        ratio = math.inf if bounds.ratio_upper is None else bounds.ratio_upper
        assert ratio < bounds.ratio_below or bounds.rate_upper <= bounds.tolerable_rate


def test_decisions_outside_the_approved_diff_are_seen_when_all_answers_are_200() -> None:
    guard = five_percent()
    guard.paired(second(1), "newly_refused", event="a", approved=True)
    assert guard.verdict(second(1)).verdict == "continue"
    guard.paired(second(2), "newly_allowed", event="b")
    verdict = guard.verdict(second(2))
    assert verdict.verdict == "roll_back"
    assert verdict.why == lockgate.models.Reason(reason="decisions", change="newly_allowed")


def test_a_hard_stop_rolls_back() -> None:
    guard = five_percent()
    guard.hard_stop(second(1), "panic", event="log-7")
    assert guard.verdict(second(1)).verdict == "roll_back"


@pytest.mark.parametrize("requests", [math.nan, math.inf, -1.0, None])
def test_what_is_no_number_pauses_and_is_rolled_back_at_the_deadline(requests: float | None) -> None:
    guard = five_percent()
    verdict = guard.verdict(NOON)
    for at in range(10, 700, 10):
        canary = None if requests is None else (requests, 10.0)
        guard.traffic(second(at), canary=canary, control=(950, 190))
        verdict = guard.verdict(second(at))
        expected = "continue" if at < 30 else "pause" if at < 630 else "roll_back"
        assert verdict.verdict == expected, at
    assert verdict.why == lockgate.models.Reason(reason="missing_data", arm="canary")


def test_what_is_still_needed_is_said() -> None:
    waiting = five_percent().verdict(second(1)).waiting_for
    assert [one.what for one in waiting] == ["seconds", "requests", "callers", *["certainty"] * 6]
    assert (waiting[1].has, waiting[1].needs) == (0, 300)


def test_wrong_words_and_numbers_are_refused_with_what_to_write() -> None:
    guard = five_percent()
    with pytest.raises(ValueError, match=r"^`slowish` is no metric; write one of `server_error`"):
        guard.bad(NOON, "slowish", "canary", caller="a", event="e")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^`left` is no arm; write `canary` or `control`$"):
        guard.bad(NOON, "slow", "left", caller="a", event="e")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^`1.5` is no share; write a number above 0 and below 1"):
        lockgate.Guard(share=1.5, started=NOON)
    with pytest.raises(ValueError, match=r"^`0.01` is no cap; write a number from `share` to 1$"):
        lockgate.Guard(share=0.05, cap=0.01, started=NOON)
    with pytest.raises(ValueError, match=r"^`false_alarm` is out of range; write a number above 0"):
        lockgate.Guard(share=0.05, started=NOON, false_alarm=0.5)
    with pytest.raises(ValueError, match=r"^`metrics` is empty; list at least one"):
        lockgate.Guard(share=0.05, started=NOON, metrics=[])
