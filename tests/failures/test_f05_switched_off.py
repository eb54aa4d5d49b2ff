"""F5: switching a policy off, which nobody had tried (Cloudflare 2025-12).

Every kind of the catalogue is switched off in the documents of its own conformance cases: a new kind is
here as soon as it exists.
"""

from __future__ import annotations

import copy
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lockgate
import pytest
from failures.documents import policies_of, read
from failures.scene import APPLICATIONS, KEY, Load, quick, sha256
from guides import files, policies, whole
from lockgate import _engine
from lockgate.rollout import Allowance, Expectation, GuardSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from failures.report import FailureReport
    from failures.scene import Scene

CASES = Path(__file__).parents[1] / "policies"
KINDS = {entry["kind"]: entry for entry in json.loads(_engine.policy_catalogue())["kinds"]}
OFF = {"off": {"mode": "off"}, "expired": {"expires": "2020-01-01"}}


def suites(kind: str) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]], Path]]:
    """The documents of a kind's cases with the cases, and the folder that their files are in."""
    for path in sorted((CASES / kind).glob("*.yaml")):
        suite = read(path.read_text())
        if "cases" not in suite:
            continue
        text = suite["gateway"]
        document = read(text if "\n" in text else (path.parent / text).read_text())
        document.setdefault("listeners", {"public": {"bind": "127.0.0.1:0"}})
        yield document, suite["cases"], path.parent


def requests_of(case: dict[str, Any]) -> list[tuple[str, str | None]]:
    """The requests of a case as the bench takes them, with their applications."""
    requests = []
    for step in case.get("steps", [case]):
        asked = dict(step["request"])
        application = asked.pop("application", None)
        facts = [fact for fact in step.get("facts", []) if isinstance(fact, dict)]
        answer = {"status": 200, "headers": {}, "body": "", **step.get("answer", {})}
        told = {"method": "GET", "headers": {}, **asked, "facts": facts, "answer": answer}
        if "certificate" in step:
            told["certificate"] = step["certificate"]
        told.setdefault("at", case.get("at", "2027-01-15T08:00:00Z"))
        requests += [(json.dumps(told, default=str), application)] * step.get("times", 1)
    return requests


def said(bench: _engine.Bench, request: str, application: str | None) -> dict[str, Any] | str:
    """What becomes of a request, without the list of policies, of which one is missing."""
    try:
        trace = json.loads(bench.call(request, application))
    except ValueError as error:
        return str(error)
    for name in ("policies", "unused_facts"):
        trace.pop(name, None)
    return dict(trace)


def problems(path: Path) -> list[str]:
    return [problem.message for problem in lockgate.check(path).problems]


@pytest.mark.parametrize("kind", KINDS)
def test_a_policy_that_is_off_is_the_same_as_none(
    kind: str, tmp_path: Path, failure_report: FailureReport
) -> None:
    compared = 0
    for document, cases, folder in suites(kind):
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
        for number in range(len([*policies_of(document, kind)])):
            absent = tmp_path / "absent.json"
            absent.write_text(json.dumps(without(document, kind, number)))
            for change in OFF.values():
                switched = tmp_path / "switched.json"
                switched.write_text(json.dumps(switch(document, kind, number, change)))
                if not lockgate.check(absent).ok:
                    # What others need cannot be switched off, and one is told why.
                    assert change != OFF["off"] or problems(switched) == problems(absent) != []
                    compared += 1
                    continue
                for case in cases:
                    first, second = _engine.Bench(absent), _engine.Bench(switched)
                    for request, application in requests_of(case):
                        wanted = said(first, request, application)
                        assert said(second, request, application) == wanted
                        if isinstance(wanted, dict) and wanted["decision"] == "refuse":
                            assert wanted["status"] < 500 or wanted["code"] in OTHERS
                        compared += 1
    assert compared > 0, f"tests/policies/{kind} has no document with such a policy"
    failure_report(stage="test", bad=0)


OTHERS = {"policy.undecided"}
"""What a policy beside the one that is off says when it cannot decide, as without it."""


def without(document: dict[str, Any], kind: str, number: int) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    scope, at = [*policies_of(changed, kind)][number]
    del scope["policies"][at]
    if not scope["policies"]:
        del scope["policies"]
    return changed


def switch(document: dict[str, Any], kind: str, number: int, change: dict[str, str]) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    scope, at = [*policies_of(changed, kind)][number]
    scope["policies"][at].update(change)
    return changed


@pytest.mark.parametrize("kind", KINDS)
def test_a_policy_is_switched_off_under_load_and_nobody_gets_an_error(
    kind: str, scene: Scene, monkeypatch: pytest.MonkeyPatch, failure_report: FailureReport
) -> None:
    """The example of the kind's documentation serves, is switched off by a reload, and serves again."""
    folder = scene.document.parent
    files(folder)
    example = policies(KINDS[kind]["doc"]["example"])[0]
    document = read(whole(example))
    document["listeners"] = {"public": {"bind": "127.0.0.1:0"}}
    document["admin"] = {"bind": "127.0.0.1:0"}
    document["applications"].update({name: {"keys": [{"sha256": sha256(name)}]} for name in APPLICATIONS})
    for upstream in document["upstreams"].values():
        upstream["targets"] = [scene.service.url]
    for name in re.findall(r"\$\{env:(\w+)\}", example):
        monkeypatch.setenv(name, "a secret")
    off = switch(document, kind, 0, OFF["off"])
    with (
        scene.serve(json.dumps(document)) as gateway,
        Load(f"{gateway.urls['public']}/orders/v1/7", good=lambda one: one.status > 0) as load,
    ):
        load.more(10)
        scene.document.write_text(json.dumps(off))
        assert gateway.reload().applied
        load.more(5)  # one may have been on its way
        errors = [one for one in load.more(10) if one.status >= 500]
        scene.document.write_text(json.dumps(document))
        assert gateway.reload().applied
        load.more(10)
    assert [*load.bad, *errors] == []
    failure_report(stage="node", bad=len(errors))


STRICT = f"{KEY}, {{ id: may, kind: require, scopes: [write]MODE }}"


def test_a_kill_takes_the_way_of_every_change(scene: Scene, failure_report: FailureReport) -> None:
    """It lets calls pass that were refused: unless that is said, it goes back before anybody passes."""
    killed = scene.next(scene.text(policies=STRICT.replace("MODE", ", mode: off")))
    with (
        scene.serve(scene.text(policies=STRICT.replace("MODE", ""))) as gateway,
        Load(gateway.urls["public"], good=lambda one: one.status in (200, 403)) as load,
    ):
        load.more()
        status = gateway.rollout(killed, plan=quick(50)).wait(seconds=60)
        assert status.rolled_back
        assert load.statuses == {403}
        meant = Expectation(newly_allowed=Allowance(applications=("*",), at_most=10_000))
        # Fewer refusals are what it is for: they are judged by the number above, and not by their rate.
        plan = quick(50).model_copy(
            update={"guard": GuardSettings(metrics=("server_error",), tolerable_rate=0.05)}
        )
        status = gateway.rollout(killed, plan=plan, expect=meant, reason="kill").wait(seconds=60)
        assert status.stage == "last good", status.why
        assert {one.status for one in load.more()} == {200}
    assert load.bad == []
    failure_report(stage="shadow", bad=len(load.bad))


def nothing(_: dict[str, Any]) -> None:
    """What it refers to stands elsewhere in the document."""


DANGLING: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "any_of": (lambda one: one["of"][0].update(kind="api_kee"), "unknown policy kind `api_kee`"),
    "jwt": (lambda one: one.update(jwks="gone.json"), "gone.json"),
    "mtls": (lambda one: one.update(names=["shop.example"]), "shop.example"),
    "oauth2_introspection": (lambda one: one.update(endpoint="/introspect"), "/introspect"),
    "quota": (lambda one: one.update(time_zone="Europe/Nowhere"), "is not a time zone"),
    "rate_limit": (lambda one: one.update(by="cel:applicatoin.id"), "application"),
    "concurrency": (lambda one: one.update(by="cel:applicatoin.id"), "application"),
    "schema": (nothing, "openapi"),
    "deprecation": (lambda one: one.update(successor="v9"), "v9"),
    "rewrite": (lambda one: one.update(path="/{nobody}"), "nobody"),
    "redirect": (lambda one: one.update(to="/{nobody}"), "nobody"),
    "require": (nothing, "needs to know who calls"),
    "payload_guard": (lambda one: one.update(classes=["log4shel"]), "log4shel"),
    "model_access": (lambda one: one.update(others=["fasst"]), "unknown model `fasst`"),
    "token_limit": (lambda one: one.update(by="cel:applicatoin.id"), "application"),
    "budget": (lambda one: one.update(by="cel:applicatoin.id"), "application"),
    "redact": (lambda one: one.update(patterns=["card_numbers"]), "card_number"),
}
"""How what a kind refers to is made to lead nowhere, and what the check then names."""
WITHOUT_REFERENCE = {
    "api_key",
    "basic_auth",
    "http_signature",
    "ip_filter",
    "size",
    "json_limits",
    "xml_limits",
    "graphql_limits",
    "cors",
    "headers",
    "respond",
    "cache",
    "model_cache",
    "response_headers",
    "prompt_guard",
    "redact_prompt",
    "completion_guard",
}
"""Kinds that refer to nothing but the members of their `when`."""


def test_every_kind_says_what_it_refers_to() -> None:
    assert {*DANGLING} | WITHOUT_REFERENCE == {*KINDS}
    assert not {*DANGLING} & WITHOUT_REFERENCE


@pytest.mark.parametrize("kind", KINDS)
def test_a_reference_that_leads_nowhere_is_named_and_the_old_document_serves(
    kind: str, scene: Scene, failure_report: FailureReport
) -> None:
    files(scene.document.parent)
    example = policies(KINDS[kind]["doc"]["example"])[0]
    breaks: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
        (lambda one: one.update(when="reqeust.path == '/'"), "request"),
    ]
    if kind in DANGLING:
        breaks.append(DANGLING[kind])
    with scene.serve() as gateway, Load(gateway.urls["public"]) as load:
        for break_it, named in breaks:
            document = read(whole(example))
            scope, at = next(policies_of(document, kind))
            break_it(scope["policies"][at])
            if kind == "schema":
                document["apis"]["orders"]["versions"]["v1"]["openapi"] = "gone-openapi.json"
            if kind == "require":
                scope["policies"] = [one for one in scope["policies"] if one["kind"] != "api_key"]
            scene.document.write_text(json.dumps(document))
            checked = lockgate.check(scene.document)
            assert not checked.ok
            told = " ".join(f"{problem.message} {problem.help}" for problem in checked.problems)
            assert named in told
            assert not gateway.reload().applied
        load.more(10)
    assert load.bad == []
    failure_report(stage="check", bad=len(load.bad))
