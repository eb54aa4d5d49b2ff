"""F16: a gate that says yes, and a canary that is sent to everybody (Akamai 2021, Azure 2025-10-09)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import lockgate
import pytest
from failures.scene import APPLICATIONS, KEY, PATIENCE, Load, back_after, quick
from lockgate.admin import AdminClient, AdminError
from lockgate.rollout import Allowance, Expectation, asked
from services import Service, answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from failures.report import FailureReport
    from failures.scene import Scene

EVERYTHING = Allowance(applications=("*",), at_most=10_000)
YES = Expectation(newly_refused=EVERYTHING, newly_allowed=EVERYTHING, other=EVERYTHING)
"""The most that a gate which approves everything can hand on."""
ENDLESS = {"applications": ["*"], "at_most": 10**9}


@pytest.fixture
def broken() -> Iterator[Service]:
    with Service(lambda _: answer("broken", "500 Internal Server Error")) as service:
        yield service


def test_a_candidate_that_every_gate_let_pass_is_taken_back_by_the_canary(
    scene: Scene, broken: Service, failure_report: FailureReport
) -> None:
    candidate = scene.next(scene.text(service=broken.url))
    with scene.serve() as gateway, Load(gateway.urls["public"]) as load:
        rollout = gateway.rollout(
            candidate, plan=quick(20, seconds=120, cap=25), expect=YES, reason="break glass"
        )
        status = rollout.wait(seconds=60)
        served = len(load.bad)
        load.more(30)
    assert status.rolled_back
    assert 0 < served <= 0.27 * len(load.answers)
    assert len(load.bad) - served <= 1, "it serves on"
    failure_report(stage="canary", bad=len(load.bad), seconds=back_after(status))


@pytest.mark.parametrize(
    "targeting", ["everybody is chosen", "everybody is excluded but those of the canary"]
)
def test_the_cap_holds_whoever_is_chosen(
    scene: Scene, broken: Service, targeting: str, failure_report: FailureReport
) -> None:
    chosen = APPLICATIONS if targeting == "everybody is chosen" else APPLICATIONS[25:]
    excluded = [name for name in APPLICATIONS if name not in chosen]
    candidate = scene.next(scene.text(service=broken.url))
    with scene.serve() as gateway, Load(gateway.urls["public"]) as load:
        rollout = gateway.rollout(
            candidate, plan=quick(5, seconds=120), chosen=chosen, excluded=excluded, expect=YES
        )
        status = rollout.wait(seconds=60)
        load.more(10)
    assert status.rolled_back, status.why
    # The cap is twice the step, and asks no list.
    assert 0 < len(load.bad) <= 0.1 * len(load.answers) + 2
    assert not {one.application for one in load.bad} & {*excluded}
    failure_report(stage="canary", bad=len(load.bad), seconds=back_after(status))


def test_a_number_that_is_never_reached_approves_nothing(scene: Scene, failure_report: FailureReport) -> None:
    with pytest.raises(ValueError, match="write at most 10000, or name the applications"):
        Expectation.model_validate({"newly_refused": ENDLESS})
    candidate = scene.next(scene.text(policies=f"{KEY}, {{ id: may, kind: require, scopes: [raed] }}"))
    with scene.serve() as gateway, Load(gateway.urls["public"]) as load:
        # Whoever does not ask through Python is told the same.
        body = json.loads(asked(candidate, plan=quick(5))) | {"expect": {"newly_refused": ENDLESS}}
        admin = AdminClient(gateway.admin)
        with pytest.raises(AdminError, match="which no rollout reaches; write at most 10000"):
            admin.begin_rollout(json.dumps(body))
        load.more(10)
    endless = scene.folder / "expect.yaml"
    endless.write_text("newly_refused: { at_most: 1000000000 }\n")
    recording = scene.recorded(scene.text(), calls=10)
    with pytest.raises(lockgate.ProblemsError, match="of anything is anything"):
        lockgate.replay(scene.document, candidate, recording, endless)
    assert load.bad == []
    failure_report(stage="check", bad=len(load.bad))


def test_refusals_that_were_approved_for_everybody_end_with_their_number(
    scene: Scene, failure_report: FailureReport
) -> None:
    """The canary judges approved refusals by their number alone."""
    candidate = scene.next(scene.text(policies=f"{KEY}, {{ id: may, kind: require, scopes: [raed] }}"))
    plan = quick(30, seconds=120, cap=35)
    many = Expectation(newly_refused=Allowance(applications=("*",), at_most=200))
    with scene.serve() as gateway, Load(gateway.urls["public"]) as load:
        rollout = gateway.rollout(candidate, plan=plan, chosen=APPLICATIONS[:15], expect=many)
        status = rollout.wait(seconds=PATIENCE)
        load.more(10)
    assert status.rolled_back, status.why
    assert 0 < len(load.bad) <= 200
    failure_report(stage="canary", bad=len(load.bad), seconds=back_after(status))
