"""F20: metrics that see nothing (Google 2023): absent, late, no numbers, or all of one sort."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import lockgate
import pytest
from failures.scene import APPLICATIONS, KEY, TELL, Answered, Load, back_after, quick
from lockgate.rollout import GuardSettings, Needs, RolloutPlan
from services import answer

if TYPE_CHECKING:
    from pathlib import Path

    from failures.report import FailureReport
    from failures.scene import Scene

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HEALTHY = (50.0, 10.0)


def second(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


BLIND = {
    "nobody reports at all": (None, None),
    "nobody reports the canary": (None, (950.0, 190.0)),
    "nobody reports the control arm": (HEALTHY, None),
    "the canary has no traffic": ((0.0, 0.0), (950.0, 190.0)),
}


@pytest.mark.parametrize("what", BLIND)
def test_what_is_not_seen_is_never_promoted_pauses_and_goes_back_at_the_deadline(
    what: str, failure_report: FailureReport
) -> None:
    guard = lockgate.Guard(share=0.05, started=NOON, at_most_seconds=1_800, deadline_seconds=600)
    canary, control = BLIND[what]
    said: dict[str, float] = {}
    for at in range(10, 4_000, 10):
        guard.traffic(second(at), canary=canary, control=control)
        verdict = guard.verdict(second(at)).verdict
        said.setdefault(verdict, at)
        if verdict == "roll_back":
            break
    assert "promote" not in said
    assert said["pause"] < said["roll_back"] <= said["pause"] + 620
    failure_report(stage="canary", bad=0)


def test_reports_that_come_late_are_waited_for_and_no_longer(failure_report: FailureReport) -> None:
    guard = lockgate.Guard(share=0.05, started=NOON, at_least_seconds=60, deadline_seconds=600)
    for at in range(10, 61, 10):
        guard.traffic(second(at), canary=HEALTHY, control=(950, 190))
    assert guard.verdict(second(120)).verdict == "pause"
    for at in range(130, 400, 10):
        guard.traffic(second(at), canary=HEALTHY, control=(950, 190))
    assert guard.verdict(second(400)).verdict in {"continue", "promote"}
    failure_report(stage="canary", bad=0)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, -1.0])
def test_what_is_no_number_of_requests_is_refused_or_counts_as_missing(
    number: float, failure_report: FailureReport
) -> None:
    guard = lockgate.Guard(share=0.05, started=NOON)
    for at in range(10, 4_000, 10):
        try:
            guard.traffic(second(at), canary=(number, 10.0), control=(950, 190))
        except ValueError:
            break
        assert guard.verdict(second(at)).verdict != "promote"
    else:
        assert guard.verdict(second(4_000)).verdict == "roll_back"
    failure_report(stage="canary", bad=0)


def test_a_gateway_without_traffic_goes_back_at_the_deadline(
    scene: Scene, failure_report: FailureReport
) -> None:
    blind = quick(50).model_copy(
        update={
            "shadow": Needs(seconds=1, at_most_seconds=2, requests=20),
            "guard": GuardSettings(deadline_seconds=1),
        }
    )
    with scene.serve() as gateway:
        candidate = scene.next(
            scene.text(policies=f"{KEY}, {{ id: tell, kind: headers, request: {{ set: {{ X-A: b }} }} }}")
        )
        status = gateway.rollout(candidate, plan=blind).wait(seconds=60)
    assert status.rolled_back
    assert status.why == "the stage has lasted its longest time without what it needs"
    failure_report(stage="shadow", bad=0)


def test_failures_that_are_all_refusals_of_the_service_are_not_taken_for_health(
    scene: Scene, failure_report: FailureReport
) -> None:
    """A service's own 4xx looks healthy to a gateway; its own refusals do not."""
    with scene.serve() as gateway, Load(gateway.urls["public"]) as load:
        refusing = scene.text(policies=f"{KEY}, {{ id: may, kind: require, scopes: [raed] }}")
        status = gateway.rollout(scene.next(refusing), plan=quick(20)).wait(seconds=60)
        assert status.rolled_back
        load.more(10)
    assert load.bad == []
    failure_report(stage="shadow", bad=0, seconds=back_after(status))


def lost(scene: Scene, refusal: str) -> Path:
    """A candidate under which the service is asked for what it does not have."""
    return answering(scene, answer("gone", refusal))


def answering(scene: Scene, lost: bytes) -> Path:
    """A candidate under which the service answers so."""
    scene.service.reply = lambda request: lost if request.path.startswith("/lost") else answer("ok")
    moved = f"{KEY}, {{ id: lost, kind: rewrite, prefix: {{ from: /orders, to: /lost }} }}"
    return scene.next(scene.text(policies=moved))


def watchful(percent: float) -> RolloutPlan:
    """A shadow until everybody was answered, and a guard that looks at the service's refusals."""
    plan = quick(percent, seconds=120)
    guard = plan.guard.model_copy(update={"metrics": ("server_error", "client_error")})
    shadow = plan.shadow.model_copy(update={"requests": 150})
    return plan.model_copy(update={"guard": guard, "shadow": shadow})


@pytest.mark.parametrize("refusal", ["404 Not Found", "401 Unauthorized"])
def test_a_service_that_begins_to_refuse_the_canarys_callers_takes_it_back(
    scene: Scene, refusal: str, failure_report: FailureReport
) -> None:
    with scene.serve() as gateway, Load(f"{gateway.urls['public']}/orders/7") as load:
        status = gateway.rollout(lost(scene, refusal), plan=watchful(20)).wait(seconds=60)
        load.more(10)
    assert status.rolled_back, status.why
    assert "client_error" in status.canary.bad
    assert 0 < len(load.bad) <= 0.4 * len(load.answers)
    failure_report(stage="canary", bad=len(load.bad), seconds=back_after(status))


def test_callers_whom_the_service_has_always_refused_hold_no_rollout(
    scene: Scene, failure_report: FailureReport
) -> None:
    """Which arm they are in is chance."""
    scene.service.reply = lambda request: (
        answer("no", "404 Not Found") if request.path.endswith("/8") else answer("ok")
    )
    candidate = scene.next(scene.text(policies=f"{KEY}, {TELL}"))
    with (
        scene.serve() as gateway,
        Load(f"{gateway.urls['public']}/orders/7") as load,
        Load(f"{gateway.urls['public']}/orders/8", applications=APPLICATIONS[:20], good=not_found) as refused,
    ):
        plan = watchful(50)
        step = plan.steps[0].model_copy(update={"seconds": 3})
        status = gateway.rollout(candidate, plan=plan.model_copy(update={"steps": (step,)})).wait(seconds=60)
    assert status.stage == "last good", status.why
    assert load.bad == refused.bad == []
    failure_report(stage="canary", bad=0)


def not_found(one: Answered) -> bool:
    return one.status == 404


OF_GRPC = b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\n"
TOLD_AT_THE_END = {
    "grpc in its trailers": OF_GRPC
    + b"Trailer: grpc-status\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngone\r\n0\r\ngrpc-status: 13\r\n\r\n",
    "grpc in its head": OF_GRPC + b"grpc-status: 14\r\nContent-Length: 0\r\n\r\n",
    "an answer that breaks off": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\ngone",
}


@pytest.mark.parametrize("how", TOLD_AT_THE_END)
def test_a_service_that_says_after_its_200_that_it_failed_takes_the_canary_back(
    scene: Scene, how: str, failure_report: FailureReport
) -> None:
    with (
        scene.serve() as gateway,
        Load(f"{gateway.urls['public']}/orders/7", good=lambda one: one.text == "ok") as load,
    ):
        candidate = answering(scene, TOLD_AT_THE_END[how])
        status = gateway.rollout(candidate, plan=watchful(20)).wait(seconds=60)
        load.more(10)
    assert status.rolled_back, status.why
    assert "server_error" in status.canary.bad
    assert 0 < len(load.bad) <= 0.4 * len(load.answers)
    failure_report(stage="canary", bad=len(load.bad), seconds=back_after(status))


def test_an_error_that_only_a_body_tells_of_is_said_to_be_unseen(
    scene: Scene, failure_report: FailureReport
) -> None:
    """No answer is read: what is said neither with a status nor by breaking off, nobody knows."""
    with (
        scene.serve() as gateway,
        Load(f"{gateway.urls['public']}/orders/7", good=lambda one: one.text == "ok") as load,
    ):
        rollout = gateway.rollout(lost(scene, "200 OK"), plan=watchful(20))
        status = rollout.wait(lambda one: not one.running or one.canary.requests > 20, seconds=60)
        assert status.running, status.why
        rollout.abort()
        load.more(10)
    assert 0 < len(load.bad) <= 0.4 * len(load.answers)
    failure_report(
        stage="none",
        bad=len(load.bad),
        seconds=load.seconds,
        human=1,
        gap="a service's 200 with an error in its body does not count against a canary, since no body is "
        "read: only the cap bounds whom it reaches, until a person ends it; let the service say it in its "
        "status",
    )
