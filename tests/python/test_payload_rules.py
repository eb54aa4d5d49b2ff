"""Rules of one's own, from a live gateway to its recording and a replay."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import lockgate
import pytest
from lockgate.replays import verdict
from services import Service, answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockgate.models import Event

KNOWN: list[dict[str, Any]] = [
    {"id": "loader", "pattern": r"class\.module", "in": ["query", "body"]},
    {"id": "token", "pattern": "^Bearer none$", "in": [{"header": "Authorization"}]},
]


@pytest.fixture
def service() -> Iterator[Service]:
    with Service(lambda _: answer("ok")) as service:
        yield service


def document(folder: Path, service: Service, name: str, *policies: dict[str, Any]) -> Path:
    """A gateway whose route `kept` records bodies, and whose other routes do not."""
    kept = {"match": {"path": "/kept"}, "record_body": {"up_to": "4KiB"}}
    version = {"base": "/", "upstream": "service", "routes": [kept], "policies": [*policies]}
    path = folder / name
    path.write_text(
        json.dumps(
            {
                "lockgate": 1,
                "purposes": "optional",
                "listeners": {"public": {"bind": "127.0.0.1:0"}},
                "admin": {"bind": "127.0.0.1:0"},
                "recording": {"directory": "recordings"},
                "upstreams": {"service": {"targets": [service.url]}},
                "apis": {
                    "orders": {"versions": {"v1": {key: said for key, said in version.items() if said}}}
                },
            }
        )
    )
    return path


def guard(rules: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"id": "own", "kind": "payload_guard", "classes": "none", "rules": rules, **more}


def recorded(folder: Path) -> list[Event]:
    return sorted(lockgate.Recording(folder / "recordings"), key=lambda event: event.at)


def test_a_live_refusal_and_its_record_name_the_rule(tmp_path: Path, service: Service) -> None:
    rules = [*KNOWN, {"id": "new", "pattern": "wp-login", "mode": "shadow"}]
    with lockgate.Gateway(document(tmp_path, service, "gateway.json", guard(rules))) as gateway:
        url = gateway.urls["public"]
        refused = httpx.post(
            f"{url}/kept", content="a class.module b", headers={"Content-Type": "text/plain"}
        )
        passed = httpx.get(f"{url}/wp-login.php")
    told = refused.json()
    assert (refused.status_code, told["code"], told["rule"]) == (403, "payload_guard.rule", "loader")
    assert "class" not in refused.text
    assert passed.status_code == 200
    first, second = recorded(tmp_path)
    said = [(one.word, one.found_by, one.shadow) for one in first.verdicts]
    assert said == [("deny", "loader", False)]
    assert first.verdicts[0].reason == "payload_guard.rule (loader)"
    said = [(one.word, one.found_by, one.shadow) for one in second.verdicts]
    assert said == [("deny", "new", True), ("allow", None, False)]
    assert (second.decision, second.code) == ("forward", None)


def test_a_replay_names_the_rule_and_what_it_could_not_judge(tmp_path: Path, service: Service) -> None:
    base = document(tmp_path, service, "gateway.json")
    with lockgate.Gateway(base) as gateway:
        url = gateway.urls["public"]
        text = {"Content-Type": "text/plain"}
        httpx.get(f"{url}/a?class.module.x=1")
        httpx.post(f"{url}/kept", content="a class.module b", headers=text)
        httpx.post(f"{url}/kept", content="nothing", headers=text)
        httpx.post(f"{url}/not-kept", content="a class.module b", headers=text)
        httpx.get(f"{url}/a", headers={"Authorization": "Bearer none"})
    candidate = document(tmp_path, service, "next.json", guard(KNOWN))
    report = lockgate.replay(base, candidate, tmp_path / "recordings")
    totals = report.totals
    assert (totals.requests, totals.newly_refused, totals.unjudged) == (5, 2, 2), report.groups
    groups = {(str(group.after), group.requests) for group in report.groups}
    assert groups == {("refuse payload_guard.rule (loader)", 1)}
    assert {row.not_recorded for row in report.unjudged} == {
        "the body",
        "the value of a field that a rule names",
    }
    assert verdict(report).startswith("2 of 3 requests decided otherwise")
    tried = document(tmp_path, service, "tried.json", guard([one | {"mode": "shadow"} for one in KNOWN]))
    report = lockgate.replay(base, tried, tmp_path / "recordings")
    assert report.totals.newly_refused == 0


def test_the_difference_of_two_documents_shows_the_rule(tmp_path: Path, service: Service) -> None:
    base = document(tmp_path, service, "gateway.json", guard(KNOWN[:1]))
    candidate = document(tmp_path, service, "next.json", guard(KNOWN))
    (difference, *_) = lockgate.diff(base, candidate)
    (policy,) = difference.policies
    assert policy.before is not None
    assert policy.after is not None
    ids = [[rule["id"] for rule in side["rules"]] for side in (policy.before, policy.after)]
    assert ids == [["loader"], ["loader", "token"]]
