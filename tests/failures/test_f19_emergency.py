"""F19: a rule of an emergency that nobody remembers (GitHub 2026-01)."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import lockgate
import pytest
from failures.scene import KEY, Load
from lockgate import _engine

if TYPE_CHECKING:
    from failures.report import FailureReport
    from failures.scene import Scene

PURPOSE = "purpose: { why: a flood from one plan, owner: security }"
WRONG = {
    f"emergency: true, {PURPOSE}": "the emergency policy `flood` never ends; write `expires:` with a date",
    "emergency: true, expires: 2027-01-31": "nobody answers for the emergency policy `flood`; write `purp",
    f"emergency: true, expires: soon, {PURPOSE}": "`soon` is not a time; write a date such as `2027-01-31`",
    f"emergency: true, expires: 2027-02-30, {PURPOSE}": "`2027-02-30` is not a time",
    f"emergency: true, expires: '', {PURPOSE}": "the text is empty",
    "emergency: true, expires: 2027-01-31, purpose: { why: a flood }": "the field `owner` is missing",
    "emergency: true, expires: 2027-01-31, purpose: { why: a flood, owner: ' ' }": "the text is empty",
}


def flood(rest: str) -> str:
    return f"{KEY}, {{ id: flood, kind: respond, status: 403, text: closed, {rest} }}"


@pytest.mark.parametrize("wrong", WRONG)
def test_a_rule_without_an_end_or_an_owner_is_refused(
    scene: Scene, wrong: str, failure_report: FailureReport
) -> None:
    with scene.serve() as gateway, Load(gateway.urls["public"]) as load:
        scene.document.write_text(scene.text(policies=flood(wrong)))
        applied = gateway.reload()
        assert not applied.applied
        assert WRONG[wrong] in f"{applied.problems[0].message}; {applied.problems[0].help}"
        load.more(10)
    assert load.bad == []
    failure_report(stage="check", bad=len(load.bad))


@pytest.mark.parametrize("kind", [entry["kind"] for entry in json.loads(_engine.policy_catalogue())["kinds"]])
def test_every_kind_needs_an_end_in_an_emergency(
    scene: Scene, kind: str, failure_report: FailureReport
) -> None:
    policy = f"{{ id: now, kind: {kind}, emergency: true }}"
    told = [problem.message for problem in lockgate.check(scene.next(scene.text(policies=policy))).problems]
    assert told == ["the emergency policy `now` never ends"]
    failure_report(stage="check", bad=0)


def test_it_holds_to_its_end_and_not_a_second_longer(scene: Scene, failure_report: FailureReport) -> None:
    document = scene.next(
        scene.text(policies=flood(f"emergency: true, expires: 2027-01-31T12:00:00Z, {PURPOSE}"))
    )
    bench = lockgate.Bench(document, at="2027-01-31T11:59:59Z")
    assert bench.call("GET", "/", application="app-1").decision == "respond"
    bench.wait(1)
    assert bench.call("GET", "/", application="app-1").decision == "forward"
    bench.wait(3_600)
    assert bench.call("GET", "/", application="app-1").decision == "forward"
    failure_report(stage="test", bad=0)


def test_a_running_gateway_lets_go_of_it_by_itself(scene: Scene, failure_report: FailureReport) -> None:
    end = datetime.now(UTC) + timedelta(seconds=1.5)
    rule = flood(f"emergency: true, expires: '{end.isoformat().replace('+00:00', 'Z')}', {PURPOSE}")
    with (
        scene.serve(scene.text(policies=rule)) as gateway,
        Load(gateway.urls["public"], good=lambda one: one.status in (200, 403)) as load,
    ):
        stop = time.monotonic() + 60
        while 200 not in load.statuses:
            assert time.monotonic() < stop, load.statuses
            load.more(1)
        assert {one.status for one in load.more(20)} == {200}
        assert gateway.stats()["requests"] > 0
    assert load.statuses == {200, 403}
    late = [one for one in load.answers if one.status == 403][-1].at
    first = next(one for one in load.answers if one.status == 200).at
    assert load.bad == []
    failure_report(stage="node", bad=0, seconds=max(0.0, first - late))
