"""F3: an artefact that has grown over a fixed limit (Cloudflare 2025-11)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import lockgate
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from failures.scene import KEY, TELL, Load, sha256
from jwt.algorithms import ECAlgorithm

if TYPE_CHECKING:
    from collections.abc import Callable

    from failures.report import FailureReport
    from failures.scene import Scene

PUBLIC = json.loads(ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key()))


def of_bytes(scene: Scene, size: int) -> str:
    text = scene.text()
    return text + "#" * (size - len(text) - 1) + "\n"


def with_routes(scene: Scene, count: int) -> str:
    """The version itself takes a place: what no route takes is one more."""
    routes = ", ".join(f'{{ match: {{ path: "/r{number}" }} }}' for number in range(count - 1))
    return scene.text(version=f"routes: [{routes}]")


def with_keys(scene: Scene, count: int) -> str:
    keys = [PUBLIC | {"kid": str(number), "alg": "ES256"} for number in range(count)]
    (scene.document.parent / "keys.json").write_text(json.dumps({"keys": keys}))
    token = (
        "{ id: token, kind: jwt, issuer: https://id.example.com, audience: a, jwks: keys.json, "
        "algorithms: [ES256] }"
    )
    return scene.text(policies=f"{{ id: caller, kind: any_of, of: [{KEY}, {token}] }}")


def with_condition(scene: Scene, length: int) -> str:
    condition = "request.method == 'GET'"
    condition += " " * (length - len(condition))
    return scene.text(policies=f'{KEY}, {TELL[:-2]}, when: "{condition}" }}')


def with_rules(scene: Scene, count: int) -> str:
    rules = ", ".join(f"{{ id: r{number}, pattern: attack-{number}- }}" for number in range(count))
    return scene.text(policies=f"{KEY}, {{ id: own, kind: payload_guard, classes: none, rules: [{rules}] }}")


def with_pattern(scene: Scene, length: int) -> str:
    # A text that repeats itself would have to be counted.
    text = "".join(f"{number}-" for number in range(length))[:length]
    rule = f'{{ id: own, pattern: "{text}" }}'
    return scene.text(policies=f"{KEY}, {{ id: own, kind: payload_guard, classes: none, rules: [{rule}] }}")


def nested(scene: Scene, depth: int) -> str:
    """The value of a claim, which may be anything, at this depth of the document."""
    above = 7
    value = "[" * (depth - above) + "1" + "]" * (depth - above)
    return scene.text(policies=f"{KEY}, {{ id: answer, kind: respond, when: 'false', json: {value} }}")


LIMITS: dict[str, tuple[int, Callable[[Scene, int], str]]] = {
    "the bytes of a document": (64 * 1024 * 1024, of_bytes),
    "routes": (20_000, with_routes),
    "the keys of an issuer": (64, with_keys),
    "the bytes of a condition": (2_048, with_condition),
    "the rules of a guard": (500, with_rules),
    "the bytes of a pattern": (4_096, with_pattern),
    "the depth of a document": (64, nested),
}


@pytest.mark.parametrize("what", LIMITS)
def test_check_and_node_have_one_limit_and_the_node_keeps_the_last_good_one(
    scene: Scene, what: str, failure_report: FailureReport
) -> None:
    limit, build = LIMITS[what]
    # A document of 640 MiB shows nothing that one of 65 MiB does not, and costs a minute.
    sizes = [limit - 1, limit, limit + 1] + ([limit * 10] if limit < 10_000 else [])
    with scene.serve() as gateway, Load(gateway.urls["public"]) as load:
        load.more()
        for size in sizes:
            scene.document.write_text(build(scene, size))
            checked = lockgate.check(scene.document)
            before = gateway.stats()["revision"]
            applied = gateway.reload()
            assert checked.ok == applied.applied == (size <= limit), checked.problems
            told = [problem.message for problem in checked.problems if problem.severity == "error"]
            assert told == [problem.message for problem in applied.problems if problem.severity == "error"]
            if size == limit + 1:
                assert str(limit) in told[0]
            if size > limit:
                assert gateway.stats()["revision"] == before
            load.more()
    assert load.bad == []
    failure_report(stage="check", bad=0)
    failure_report(stage="node", bad=len(load.bad))


DUPLICATES: dict[str, tuple[Callable[[Scene], str], str]] = {
    "a policy": (lambda scene: scene.text(policies=f"{KEY}, {KEY}"), "exists twice in this scope"),
    "a route": (
        lambda scene: scene.text(version="routes: [{ match: { path: /a } }, { match: { path: /a } }]"),
        "exists twice",
    ),
    "the key of two applications": (
        lambda scene: scene.text().replace(sha256("app-1"), sha256("app-2")),
        "belongs to two applications",
    ),
    "a rule": (
        lambda scene: scene.text(
            policies=f"{KEY}, {{ id: own, kind: payload_guard, classes: none, "
            "rules: [{ id: a, pattern: x }, { id: a, pattern: y }] }"
        ),
        "exists twice in this policy",
    ),
    "a name": (lambda scene: scene.text() + "purposes: optional\n", "is written twice"),
    "a file": (
        lambda scene: scene.text() + included(scene),
        "is already in",
    ),
}


def included(scene: Scene) -> str:
    (scene.document.parent / "more.yaml").write_text(
        "upstreams: { more: { targets: ['http://127.0.0.1:1'] } }\n"
    )
    return "include: [more.yaml, more.yaml]\n"


@pytest.mark.parametrize("what", DUPLICATES)
def test_what_is_there_twice_is_refused(scene: Scene, what: str, failure_report: FailureReport) -> None:
    build, told = DUPLICATES[what]
    with scene.serve() as gateway, Load(gateway.urls["public"]) as load:
        scene.document.write_text(build(scene))
        applied = gateway.reload()
        assert not applied.applied
        assert told in applied.problems[0].message
        load.more()
        assert httpx.get(gateway.urls["public"]).status_code == 401
    assert load.bad == []
    failure_report(stage="check", bad=len(load.bad))
