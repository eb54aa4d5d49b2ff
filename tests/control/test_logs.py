"""`/audit/logs`: the command of the product as it stands, and every answer to what is asked wrongly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from lockgate.audit import AuditEntry
from lockgate.control.audit.models import Entry
from lockgate.control.events.index import index_new
from lockgate.control.events.metrics import METRICS

if TYPE_CHECKING:
    from control.people import NewToken, SignIn, Traffic
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer
    from lockgate.control.accounts.models import User

FORM = "application/x-www-form-urlencoded"
NAMES = [metric.name for metric in METRICS]


def ask(token: str, body: Any, content_type: str = FORM) -> Answer:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    headers = {"Authorization": f"Bearer {token}"}
    answer: Answer = Client(enforce_csrf_checks=True).post(
        "/audit/logs", text, content_type=content_type, headers=headers
    )
    return answer


def told(answer: Answer) -> dict[str, Any]:
    assert answer.status_code == 200, answer.content
    said: dict[str, Any] = json.loads(answer.content)
    return said


@pytest.fixture
def token(new_token: NewToken) -> str:
    return new_token("audit:read")


@pytest.mark.parametrize("is_indexed", [False, True])
@pytest.mark.parametrize("content_type", [FORM, "application/json", "text/plain"])
def test_violations_are_told_whatever_the_content_type_says(
    token: str, traffic: Traffic, content_type: str, *, is_indexed: bool
) -> None:
    traffic()
    if is_indexed:
        index_new()
    query = '{ "timeRange": "last_30_days", "metrics": "security_violations" }'
    said = told(ask(token, query, content_type))
    assert said["totals"] == {"security_violations": 3}
    (points,) = said["series"]["points"].values()
    assert sum(point["count"] for point in points) == 3
    assert said["breakdown"]["security_violations"] == {
        "alert": [{"value": "unauthorized_access", "count": 2}, {"value": "rate_limit_exceeded", "count": 1}],
        "api": [{"value": "orders", "count": 3}],
        "application": [{"value": None, "count": 2}, {"value": "shop", "count": 1}],
        "reason": [{"value": "api_key.missing", "count": 2}, {"value": "rate_limit.exceeded", "count": 1}],
        "source": [{"value": "127.0.0.1", "count": 3}],
    }
    assert [one["reason"] for one in said["exceptions"]] == [
        "api_key.missing",
        "api_key.missing",
        "rate_limit.exceeded",
    ]


def test_metrics_can_be_listed_and_each_is_counted(token: str, traffic: Traffic) -> None:
    traffic()
    said = told(ask(token, {"metrics": NAMES}))
    assert said["totals"] == {
        "security_violations": 3,
        "unauthorized_access": 2,
        "rate_limit_exceeded": 1,
        "malicious_payload": 0,
        "policy_changes": 1,
        # The token of this test.
        "admin_actions": 1,
        "traffic": 6,
    }
    assert {action["action"] for action in said["actions"]} == {"token.issued", "revision.served"}


def test_the_same_is_told_to_a_query_in_the_address(token: str, traffic: Traffic) -> None:
    traffic()
    headers = {"Authorization": f"Bearer {token}"}
    address = (
        "/audit/logs?timeRange=last_7_days&metrics=traffic,malicious_payload&metrics=unauthorized_access"
    )
    said = told(Client().get(address, headers=headers))
    assert said["totals"] == {"traffic": 6, "malicious_payload": 0, "unauthorized_access": 2}
    said = told(
        Client().get("/audit/logs?from=2026-11-01T00:00:00Z&to=2026-11-02T00:00:00Z", headers=headers)
    )
    assert said["timeRange"] == {
        "asked": {"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z"},
        "from": "2026-11-01T00:00:00Z",
        "to": "2026-11-02T00:00:00Z",
    }
    assert said["totals"] == {"security_violations": 0}


def test_the_cursor_leads_through_all_exceptions(token: str, traffic: Traffic) -> None:
    traffic()
    seen: list[str] = []
    query: dict[str, Any] = {"metrics": "traffic", "limit": 3}
    while True:
        said = told(ask(token, query))
        seen += [one["request"] for one in said["exceptions"]]
        if said["cursor"] is None:
            break
        query["cursor"] = said["cursor"]
    assert len(seen) == len(set(seen)) == 4


def test_the_query_is_audited_and_the_checkpoint_covers_its_entry(token: str, traffic: Traffic) -> None:
    traffic()
    point = told(ask(token, {}))["checkpoint"]
    entry = Entry.objects.get(action="audit.queried")
    assert (entry.who, entry.details) == ("service account siem", {"from": "127.0.0.1"})
    assert entry.after is not None
    assert entry.after.startswith("security_violations, from ")
    assert (point["v"], point["seq"], point["sha256"]) == (1, entry.seq, entry.sha256)
    assert set(point) == {"v", "seq", "sha256", "at", "signature"}
    assert entry.entry.hashed() == entry.sha256
    assert AuditEntry.model_validate(entry.entry.model_dump()) == entry.entry


def test_what_is_not_known_is_named(token: str, traffic: Traffic) -> None:
    traffic()
    said = told(ask(token, {"timeRange": "last_30_days"}))
    (gap,) = said["completeness"]["gaps"]
    assert said["completeness"]["complete"] is False
    assert gap["from"] == said["timeRange"]["from"]
    assert "nothing was recorded before" in gap["why"]


def test_without_a_valid_token_nothing_is_told(admin: User, sign_in: SignIn) -> None:
    for headers, expected in (
        ({}, 'Bearer realm="lockgate"'),
        ({"Authorization": "Basic YTpi"}, 'Bearer realm="lockgate"'),
        ({"Authorization": "Bearer lg_wrong"}, 'Bearer realm="lockgate", error="invalid_token"'),
    ):
        for client in (Client(), sign_in(admin)):
            answer = client.post("/audit/logs", "{}", content_type=FORM, headers=headers)
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, expected)
            assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_token_for_other_things_is_told_which_scope_is_needed(new_token: NewToken) -> None:
    answer = ask(new_token("traffic:read"), {})
    assert answer.status_code == 403
    assert 'error="insufficient_scope", scope="audit:read"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("query", "message", "allowed"),
    [
        ({"timeRange": "last_year"}, "`last_year` is not a time range", "last_24_hours"),
        ({"timeRange": 7}, "`7` is not a time range", "last_7_days"),
        ({"timeRange": {"from": "2026-11-01T00:00:00Z"}}, "is not a time range", "last_30_days"),
        ({"timeRange": {"from": 1, "to": 2}}, "`from` and `to` are texts", "last_30_days"),
        ({"timeRange": {"from": "x", "to": "y"}}, "`x` is not a time", "last_30_days"),
        ({"metrics": "violations"}, "there is no metric `violations`", "security_violations"),
        ({"metrics": []}, "`metrics` is empty", "security_violations"),
        ({"metrics": None}, "there is no metric `null`", "traffic"),
        ({"metrics": ["traffic", 1]}, "there is no metric `1`", "traffic"),
        ({"timerange": "last_24_hours"}, "there is no `timerange`", "timeRange"),
        ({"limit": 0}, "`limit` is a number from 1 to 1000", None),
        ({"limit": True}, "`limit` is a number", None),
        ({"limit": "10"}, "`limit` is a number", None),
        ({"cursor": "x"}, "`x` is not a cursor", None),
        ("", None, None),
        ("[]", "the body is no JSON object", None),
        ("timeRange=last_24_hours", "the body is not JSON", None),
        ("[" * 20_000, "the body is not JSON", None),
        (b"\xff\xfe", "the body is not JSON", None),
        ("x" * 70_000, "a query has at most 65536 bytes", None),
    ],
)
def test_what_is_not_known_in_a_query_is_refused_with_what_is(
    token: str, query: Any, message: str | None, allowed: str | None
) -> None:
    answer = ask(token, query)
    if message is None:
        assert answer.status_code == 200
        return
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")
    said = json.loads(answer.content)
    assert message in said["detail"]
    assert allowed is None or allowed in said["allowed"]
    assert not Entry.objects.filter(action="audit.queried").exists()


def test_other_methods_are_refused(token: str) -> None:
    answer = Client().delete("/audit/logs", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")
