"""F7: a valid document that refuses or allows everything (GitHub Copilot 2025-09, Let's Encrypt 2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lockgate
import pytest
from failures.scene import APPLICATIONS, KEY, Load, quick

if TYPE_CHECKING:
    from failures.report import FailureReport
    from failures.scene import Scene

MAY = "{ id: may, kind: require, scopes: [read] }"
BASE = f"{KEY}, {MAY}"
REFUSING = {
    "a scope that nobody has": f"{KEY}, {{ id: may, kind: require, scopes: [raed] }}",
    "every address is denied": f"{BASE}, {{ id: net, kind: ip_filter, deny: ['0.0.0.0/0', '::/0'] }}",
    "a limit that refuses all": f"{BASE}, {{ id: no, kind: rate_limit, limit: 0, deny_all: true, per: 1s }}",
    "keys are looked for elsewhere": f"{{ id: key, kind: api_key, in: {{ header: X-Apikey }} }}, {MAY}",
    "no request is small enough": f"{BASE}, {{ id: small, kind: size, head: 1B }}",
}
ANSWERING = {
    "the gateway answers itself": f"{BASE}, {{ id: closed, kind: respond, status: 204 }}",
    "everybody is sent away": f"{BASE}, {{ id: moved, kind: redirect, to: /elsewhere, status: 308 }}",
}


@pytest.mark.parametrize("what", [*REFUSING, *ANSWERING])
def test_what_refuses_everybody_is_blocked_by_replay_and_never_reaches_anybody(
    scene: Scene, what: str, failure_report: FailureReport
) -> None:
    base = scene.text(policies=BASE)
    candidate = scene.next(scene.text(policies={**REFUSING, **ANSWERING}[what]))
    recording = scene.recorded(base)
    scene.document.write_text(base)
    assert lockgate.check(candidate).ok, "it is valid: only traffic shows what it does"
    report = lockgate.replay(scene.document, candidate, recording)
    assert report.exit_code == 1
    assert report.differs == report.totals.judged >= 150
    assert {caller.application for caller in report.callers} == {*APPLICATIONS}
    failure_report(stage="replay", bad=0)
    with scene.serve(base) as gateway, Load(gateway.urls["public"]) as load:
        status = gateway.rollout(candidate, plan=quick(5)).wait(seconds=60)
        load.more(10)
    assert status.rolled_back, status.why
    assert [one.to for one in status.history] == ["shadow", "rolled back"]
    assert load.bad == []
    failure_report(stage="shadow", bad=len(load.bad))


ALLOWING = {
    "the demand is gone": KEY,
    "nobody need be known": "{ id: tell, kind: headers, request: { set: { X-A: b } } }",
    "it only looks": f"{KEY}, {MAY[:-2]}, mode: shadow }}",
    "it is for hardly anybody": f"{KEY}, {MAY[:-2]}, percent: 1 }}",
    "its condition never holds": f"{KEY}, {MAY[:-2]}, when: \"request.path == '/nowhere'\" }}",
}


@pytest.mark.parametrize("what", ALLOWING)
def test_what_allows_everybody_is_blocked_by_replay_and_lets_nobody_pass(
    scene: Scene, what: str, failure_report: FailureReport
) -> None:
    """It lowers the rate of errors: only the comparison of decisions can see it."""
    base = scene.text(policies=BASE, scopes="other")
    candidate = scene.next(scene.text(policies=ALLOWING[what], scopes="other"))
    recording = scene.recorded(base)
    scene.document.write_text(base)
    report = lockgate.replay(scene.document, candidate, recording)
    assert report.exit_code == 1
    assert report.totals.newly_allowed > 100
    failure_report(stage="replay", bad=0)
    with (
        scene.serve(base) as gateway,
        Load(gateway.urls["public"], good=lambda one: one.status == 403) as load,
    ):
        status = gateway.rollout(candidate, plan=quick(5)).wait(seconds=60)
        load.more(10)
    assert status.rolled_back, status.why
    assert load.bad == []
    failure_report(stage="shadow", bad=len(load.bad))


def test_a_difference_that_was_approved_does_not_block(scene: Scene, failure_report: FailureReport) -> None:
    base = scene.text(policies=BASE)
    when = "when: 'application.id == \"app-7\"'"
    candidate = scene.next(
        scene.text(policies=f"{BASE}, {{ id: more, kind: require, scopes: [write], {when} }}")
    )
    recording = scene.recorded(base)
    scene.document.write_text(base)
    expected = scene.folder / "expected.yaml"
    expected.write_text("newly_refused: { applications: [app-7], at_most: 100 }\n")
    assert lockgate.replay(scene.document, candidate, recording, expected).exit_code == 0
    expected.write_text("newly_refused: { applications: [app-8], at_most: 100 }\n")
    assert lockgate.replay(scene.document, candidate, recording, expected).exit_code == 1
    failure_report(stage="replay", bad=0)
