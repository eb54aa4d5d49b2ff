"""F1: a regular expression that takes for ever (Cloudflare 2019: a rule that was only to simulate)."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import httpx
import lockgate
import pytest
from failures.scene import APPLICATIONS, KEY, TELL, Load, quick
from services import answer

if TYPE_CHECKING:
    from failures.report import FailureReport
    from failures.scene import Scene

PATTERNS = ["(a+)+$", "^(a|a)*$", ".*.*=.*", "(.*,){11}P", "^(([a-z])+.)+[A-Z]([a-z])+$"]
POISON = "a" * 65_000 + "!"
SLOW = 10.0
"""No call may take so long, whatever the machine: backtracking would take years."""


def contract(pattern: str) -> str:
    """An OpenAPI document whose only body holds a text that must be like the pattern."""
    name = {"type": "string", "pattern": pattern}
    schema = {"type": "object", "properties": {"name": name}}
    body = {"content": {"application/json": {"schema": schema}}}
    operations = {"post": {"requestBody": body, "responses": {"200": {"description": "ok"}}}}
    paths = {"/orders": operations, "/orders/7": {"get": {"responses": {"200": {"description": "ok"}}}}}
    return json.dumps({"openapi": "3.1.0", "info": {"title": "a", "version": "1"}, "paths": paths})


def shadowed(scene: Scene, pattern: str) -> str:
    """Every place of a document that takes a pattern, in shadow."""
    (scene.document.parent / "contract.json").write_text(contract(pattern))
    found = json.dumps(pattern)
    # A rule that finds the empty text is refused; this one is as hard to look for.
    rule = json.dumps({"id": "own", "pattern": f"{pattern.rstrip('$')}!"})
    policies = (
        f"{KEY}, {{ id: contract, kind: schema, mode: shadow }}, "
        f"{{ id: rules, kind: payload_guard, classes: none, rules: [{rule}], mode: shadow }}, "
        f"{{ id: private, kind: redact, expressions: [{found}], mode: shadow }}, "
        f"{{ id: mine, kind: headers, request: {{ set: {{ X-A: b }} }}, mode: shadow, "
        f"when: {json.dumps(f'request.path.matches({found})')} }}"
    )
    return scene.text(policies=policies, version="openapi: contract.json")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_is_refused_or_takes_linear_time_and_live_traffic_does_not_move(
    scene: Scene, pattern: str, failure_report: FailureReport
) -> None:
    scene.service.reply = lambda _: answer(POISON)
    text = shadowed(scene, pattern)
    scene.document.write_text(text)
    if not lockgate.check(scene.document).ok:
        failure_report(stage="check", bad=0)
        return
    with scene.serve(text) as gateway, httpx.Client(timeout=30) as client:
        url = gateway.urls["public"]
        with Load(f"{url}/orders/7") as load:
            load.more(50)
            longest = 0.0
            for _ in range(10):
                began = time.monotonic()
                got = client.post(
                    f"{url}/orders", json={"name": POISON}, headers={"X-Api-Key": APPLICATIONS[0]}
                )
                longest = max(longest, time.monotonic() - began)
                assert got.status_code == 200
            load.more(50)
    assert load.bad == []
    assert longest < SLOW
    assert load.p99() < SLOW
    failure_report(stage="node", bad=len(load.bad))


def test_a_costly_candidate_is_asked_beside_the_traffic_and_not_before_it(
    scene: Scene, failure_report: FailureReport
) -> None:
    """Its patterns cost hundreds of times what the live ones cost: it is asked less, and nobody waits."""
    # Each of them is a backtracking engine's nightmare, and each looks at the whole path.
    path = "/" + "a" * 4_000
    condition = " && ".join(f"!request.path.matches('{'(a|aa)+' * number}$')" for number in range(1, 9))
    policies = f"{KEY}, {TELL[:-2]}, when: {json.dumps(condition)} }}"
    with scene.serve() as gateway, Load(gateway.urls["public"] + path) as load:
        load.more(100)
        alone = load.p99()
        began = time.monotonic()
        rollout = gateway.rollout(scene.next(scene.text(policies=policies)), plan=quick(5))
        status = rollout.wait(lambda one: not one.running or one.stage == "canary 1", seconds=60)
        beside = load.p99(began)
        if status.running:
            rollout.abort()
        load.more(30)
    assert load.bad == []
    assert beside < alone + SLOW
    assert status.beside.cpu_share <= 1.0
    failure_report(stage="shadow", bad=len(load.bad))


def test_many_poisoned_requests_at_a_time_leave_the_others_alone(
    scene: Scene, failure_report: FailureReport
) -> None:
    with scene.serve(shadowed(scene, PATTERNS[0])) as gateway:
        url = gateway.urls["public"]

        def poison() -> None:
            with httpx.Client(timeout=30) as client:
                for _ in range(10):
                    client.post(f"{url}/orders", json={"name": POISON}, headers={"X-Api-Key": "app-1"})

        attackers = [threading.Thread(target=poison) for _ in range(4)]
        with Load(f"{url}/orders/7") as load:
            for attacker in attackers:
                attacker.start()
            load.more(50)
            for attacker in attackers:
                attacker.join()
    assert load.bad == []
    failure_report(stage="node", bad=len(load.bad))


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("a.{500}b", "too large"),
        ("(?:a{1000}){1000}", "too large"),
        ("(a|a)*", "empty text"),
        (".+", "every"),
    ],
)
def test_a_rule_that_no_table_holds_is_refused_and_the_old_document_serves(
    scene: Scene, pattern: str, told: str, failure_report: FailureReport
) -> None:
    rules = json.dumps([{"id": "own", "pattern": pattern}])
    guard = f"{{ id: guard, kind: payload_guard, classes: none, rules: {rules}, mode: shadow }}"
    with scene.serve() as gateway, Load(gateway.urls["public"]) as load:
        scene.document.write_text(scene.text(policies=f"{KEY}, {guard}"))
        (problem,) = lockgate.check(scene.document).problems
        assert "the pattern of `own`" in problem.message
        assert told in problem.message
        assert problem.help
        assert not gateway.reload().applied
        load.more(20)
    assert load.bad == []
    failure_report(stage="check", bad=len(load.bad))
