"""The admin API of analytics: named queries and OCSF, which is held against the schema."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import async_to_sync
from control.analytics.recorded import event, micros, refused, segment
from django.test import Client
from jsonschema import Draft202012Validator
from lockgate.control.alerts.services import raise_alert
from lockgate.control.analytics import ocsf
from lockgate.control.analytics.queries import QUERIES
from lockgate.control.audit.models import Entry

if TYPE_CHECKING:
    from control.people import NewToken

SCHEMA = json.loads(Path(__file__).with_name("ocsf-1.9.json").read_text())
AT = micros(datetime.now(UTC) - timedelta(hours=2))
BASE = "/api/v1/analytics"
CLASSES = {"api_activity": 6003, "http_activity": 4002, "detection_finding": 2004}


@pytest.fixture
def recorded(recordings: Path) -> None:
    odd = [
        event(AT + 5, client=None, host="", method="PURGE", api=None, route=None, application=None, status=0)
    ]
    segment(recordings, [event(AT), refused(AT + 1), event(AT + 2, method="POST", status=502), *odd])


def get(token: str, path: str) -> Any:
    return Client().get(f"{BASE}{path}", headers={"Authorization": f"Bearer {token}"})


def told(token: str, path: str) -> Any:
    answer = get(token, path)
    assert answer.status_code == 200, answer.content
    return json.loads(answer.content)


def exported(token: str, path: str) -> list[dict[str, Any]]:
    answer = get(token, path)
    assert answer.status_code == 200, answer.content
    body = async_to_sync(read)(answer.streaming_content)
    return [json.loads(line) for line in body.splitlines()]


async def read(pieces: Any) -> bytes:
    return b"".join([piece async for piece in pieces])


def test_every_query_is_listed_and_can_be_asked(new_token: NewToken, recorded: None) -> None:  # noqa: ARG001
    token = new_token("traffic:read", "exceptions:read")
    listed = told(token, "/queries")
    assert [one["name"] for one in listed] == [query.name for query in QUERIES]
    for one in listed:
        said = told(token, f"/queries/{one['name']}?range=last_7_days")
        assert said["query"] == one["name"]
    said = told(token, "/queries/traffic_by_api?limit=1")
    assert said["rows"] == [
        {
            "value": "orders",
            "calls": 3,
            "exceptions": 1,
            "failed": 1,
            "bytes_out": 3_000,
            "p95_ms": 19.5,
        }
    ]


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/queries/nothing", 404, "there is no query `nothing`"),
        ("/queries/traffic_by_api?range=last_year", 422, "`last_year` is not a time range"),
        ("/queries/traffic_by_api?from=2026-11-01T00:00:00Z", 422, "send `range`, or both `from` and `to`"),
        ("/queries/traffic_by_api?limit=0", 422, "`limit` is a number from 1 to 1000"),
        ("/queries/traffic_by_api?limit=2000", 422, "`limit` is a number from 1 to 1000"),
        ("/queries/top_sources?api=orders", 422, "`top_sources` takes no `api`"),
        ("/events.ndjson?kind=x", 422, "there is no kind `x`"),
        ("/events.ndjson?range=x", 422, "`x` is not a time range"),
    ],
)
def test_what_cannot_be_asked_is_told(new_token: NewToken, path: str, status: int, detail: str) -> None:
    answer = get(new_token("traffic:read", "exceptions:read"), path)
    assert answer.status_code == status
    assert detail in json.loads(answer.content)["detail"]


def test_sources_need_the_permission_for_them(new_token: NewToken) -> None:
    token = new_token("traffic:read")
    assert get(token, "/queries/traffic_by_api").status_code == 200
    for name in ("top_sources", "source_activity", "slowest_calls"):
        assert get(token, f"/queries/{name}").status_code == 403
    assert get(token, "/events.ndjson").status_code == 403
    assert get(new_token("audit:read"), "/queries").status_code == 403


@pytest.mark.parametrize("kind", ["api_activity", "http_activity"])
def test_calls_are_exported_as_the_schema_says(new_token: NewToken, recorded: None, kind: str) -> None:  # noqa: ARG001
    rows = exported(new_token("exceptions:read"), f"/events.ndjson?kind={kind}")
    assert {row["metadata"]["log_source"] for row in rows} == {"first"}
    assert [row["metadata"]["uid"] for row in rows] == [f"r{AT + place}" for place in (0, 1, 2, 5)]
    validator = Draft202012Validator({**SCHEMA, "$ref": f"#/$defs/{kind}"})
    for row in rows:
        assert [error.message for error in validator.iter_errors(row)] == []
        assert row["class_uid"] == CLASSES[kind]
    assert [row["status_id"] for row in rows] == [1, 2, 2, 1]
    text = json.dumps(rows)
    assert "secret" not in text
    assert "ada@example.com" not in text
    assert Entry.objects.filter(action="audit.exported", object=f"events as OCSF {kind}").count() == 1


def test_alerts_are_exported_as_the_schema_says(new_token: NewToken) -> None:
    raise_alert(
        "traffic_spike", "api:orders", {"value": 900}, baseline={"usual": 200}, applications={"shop": 9}
    )
    raise_alert("unauthorized_access", "source:192.0.2.1", {"calls": 30})
    rows = exported(new_token("exceptions:read"), "/events.ndjson?kind=detection_finding")
    validator = Draft202012Validator({**SCHEMA, "$ref": "#/$defs/detection_finding"})
    for row in rows:
        assert [error.message for error in validator.iter_errors(row)] == []
    assert [row["finding_info"]["analytic"]["type"] for row in rows] == ["Statistical", "Rule"]


def test_the_schema_refuses_what_is_missing_or_of_another_type() -> None:
    texts = (
        "id node revision api api_version route application source method scheme host path http code alert"
    )
    numbers = ("micros", "status", "bytes_in", "bytes_out", "latency_us")
    good = ocsf.api_activity(dict.fromkeys(texts.split(), "") | dict.fromkeys(numbers, 1))
    validator = Draft202012Validator({**SCHEMA, "$ref": "#/$defs/api_activity"})
    assert validator.is_valid(good)
    for broken in (
        {name: value for name, value in good.items() if name != "api"},
        good | {"activity_id": 77},
        good | {"time": "now"},
        good | {"headers": {}},
        good | {"type_uid": 1},
    ):
        assert not validator.is_valid(broken)
