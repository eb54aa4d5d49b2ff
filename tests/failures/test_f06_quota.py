"""F6: a quota of zero, below zero, beyond every number, or in the wrong unit (Google 2020-12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lockgate
import pytest
from failures.scene import KEY, Load, back_after, quick

if TYPE_CHECKING:
    from failures.report import FailureReport
    from failures.scene import Scene


def limited(scene: Scene, settings: str) -> str:
    return scene.text(policies=f"{KEY}, {{ id: fair, {settings} }}")


NONSENSE = {
    "kind: quota, limit: 0, per: day": "write `deny_all: true` beside it",
    "kind: quota, by_plan: { gold: 0 }, per: day": "write `deny_all: true` beside it",
    "kind: rate_limit, limit: 0, per: 1m": "write `deny_all: true` beside it",
    "kind: quota, limit: -1, per: day": "not negative",
    "kind: rate_limit, limit: -1, per: 1m": "not negative",
    "kind: rate_limit, limit: 9223372036854775808, per: 1m": "whole number",
    "kind: rate_limit, limit: 1e3, per: 1m": "whole number",
    "kind: rate_limit, limit: 100, per: 60": "has no unit",
    "kind: rate_limit, limit: 100, per: 1": "has no unit",
    "kind: quota, limit: 100, per: 1 day": "is not a period",
    "kind: concurrency, limit: 0": "above zero",
    "kind: concurrency, limit: -1": "whole number",
}


@pytest.mark.parametrize("settings", NONSENSE)
def test_a_limit_that_cannot_be_meant_is_refused_and_the_old_one_holds(
    scene: Scene, settings: str, failure_report: FailureReport
) -> None:
    base = limited(scene, "kind: rate_limit, limit: 1000, per: 1m")
    with scene.serve(base) as gateway, Load(gateway.urls["public"]) as load:
        scene.document.write_text(limited(scene, settings))
        applied = gateway.reload()
        assert not applied.applied
        assert NONSENSE[settings] in f"{applied.problems[0].message}; {applied.problems[0].help}"
        load.more(10)
    assert load.bad == []
    failure_report(stage="check", bad=len(load.bad))


def test_the_largest_number_is_a_limit_and_no_overflow(scene: Scene, failure_report: FailureReport) -> None:
    for limit in (2**31, 2**32, 2**63 - 1):
        for rest in (
            "rate_limit, per: 1s",
            "quota, per: month",
            "rate_limit, per: 3650d",
            "quota, per: 3650d",
        ):
            kind, per = rest.split(", ")
            text = limited(scene, f"kind: {kind}, limit: {limit}, {per}")
            with scene.serve(text) as gateway, Load(gateway.urls["public"]) as load:
                load.more(5)
            assert load.bad == []
    failure_report(stage="node", bad=0)


USUAL = "kind: rate_limit, limit: 4, per: 1s"
SLIPS = {
    "minutes in place of seconds": "kind: rate_limit, limit: 4, per: 1m",
    "a lost digit": "kind: rate_limit, limit: 1, per: 1h",
    "nothing at all": "kind: rate_limit, limit: 0, deny_all: true, per: 1s",
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_valid_slip_is_blocked_by_replay_and_taken_back_by_a_rollout(
    scene: Scene, slip: str, failure_report: FailureReport
) -> None:
    recording = scene.recorded(limited(scene, USUAL), calls=350)
    candidate = scene.next(limited(scene, SLIPS[slip]))
    report = lockgate.replay(scene.document, candidate, recording)
    assert (report.outcome, report.exit_code) == ("unexpected", 1)
    assert report.totals.newly_refused > 50
    failure_report(stage="replay", bad=0)
    with scene.serve(limited(scene, USUAL)) as gateway, Load(gateway.urls["public"]) as load:
        status = gateway.rollout(candidate, plan=quick(5)).wait(seconds=60)
        load.more(10)
    assert status.rolled_back
    assert status.why == "it refuses what the base allows, and that was not expected"
    # A limit over a minute may let pass all that a shadow of one second sees: then the canary ends at the
    # first refusal.
    assert len(load.bad) <= 2
    failure_report(stage="canary" if load.bad else "shadow", bad=len(load.bad), seconds=back_after(status))
