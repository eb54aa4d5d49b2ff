"""The named queries: what each says of events that are known, and that each takes what it documents."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from control.analytics.recorded import OTHER, REVISION, event, hour_of_yesterday, micros, refused, segment
from lockgate.control.analytics import taking
from lockgate.control.analytics.queries import BY_NAME, QUERIES
from lockgate.control.events import index
from lockgate.control.events.times import between

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.control.events.times import Span

NOON = hour_of_yesterday()
AT = micros(NOON)
MINUTE = 60_000_000
_SHADOW = [
    {"id": "k", "kind": "require", "scope": "v1", "word": "deny", "code": "require.scope", "shadow": True}
]
EVENTS = [
    event(AT, latency_us=5_500),
    event(AT + MINUTE, latency_us=900_000, verdicts=_SHADOW),
    event(AT + 2 * MINUTE, tries=0, upstream=None, target=None, route="list"),
    event(AT + 10 * MINUTE, api_version="v2", application="mobile", client="192.0.2.9", bytes_out=70_000),
    event(AT + 20 * MINUTE, status=503, target="10.0.0.2:80", tries=2, revision=OTHER),
    event(AT + 70 * MINUTE, status=502, code="upstream.failed", revision=OTHER),
    refused(AT + 3 * MINUTE),
    refused(AT + 4 * MINUTE, client="192.0.2.66"),
    refused(AT + 80 * MINUTE, "rate_limit.exceeded", 429, application="shop", revision=OTHER),
    refused(AT + 90 * MINUTE, "route.not_found", 404, api=None, api_version=None, route=None),
]
FINE = between(NOON - timedelta(hours=1), NOON + timedelta(hours=3))
COARSE = between(NOON - timedelta(days=3, minutes=25), NOON + timedelta(minutes=95))
EXPECTED: dict[str, Any] = {
    "traffic_by_api": [("orders", 9, 4, 2), ("", 1, 1, 0)],
    "traffic_by_application": [("shop", 6, 2, 2), ("", 3, 3, 0), ("mobile", 1, 0, 0)],
    "traffic_by_route": [("orders/v1/get", 7, 4, 2), ("orders/v1/list", 1, 0, 0), ("orders/v2/get", 1, 0, 0)],
    "traffic_by_status": [(200, 4), (401, 2), (404, 1), (429, 1), (502, 1), (503, 1)],
    "errors_by_target": [("service", "10.0.0.1:80", 4, 1, 0), ("service", "10.0.0.2:80", 1, 1, 1)],
    "exceptions_by_reason": [
        ("api_key.missing", "unauthorized_access", 2, 0, 1),
        ("rate_limit.exceeded", "rate_limit_exceeded", 1, 1, 1),
        ("route.not_found", "", 1, 0, 0),
        ("upstream.failed", "", 1, 1, 1),
    ],
    "exceptions_by_application": [
        ("", "orders", "get", "api_key.missing", 2),
        ("", "", "", "route.not_found", 1),
        ("shop", "orders", "get", "rate_limit.exceeded", 1),
        ("shop", "orders", "get", "upstream.failed", 1),
    ],
    "shadow_refusals": [("require.scope", 1, 1, ("shop",))],
    "application_usage": [("shop", "orders", "v1", 6, 2, 2), ("mobile", "orders", "v2", 1, 0, 0)],
    "limit_pressure": [("shop", "orders", "rate_limit.exceeded", 1, 6, 1 / 6)],
    "version_usage": [("orders", "v1", 8, 4, 1), ("orders", "v2", 1, 0, 1)],
    "version_callers": [
        ("shop", "orders", "v1", "get", 5),
        ("", "orders", "v1", "get", 2),
        ("mobile", "orders", "v2", "get", 1),
        ("shop", "orders", "v1", "list", 1),
    ],
    "top_sources": [("192.0.2.1", 8, 4, 2), ("192.0.2.66", 1, 1, 0), ("192.0.2.9", 1, 0, 0)],
    "top_refused_sources": [("192.0.2.1", 4, 4, 1), ("192.0.2.66", 1, 1, 0)],
    "application_networks": [("shop", "192.0.2.0/24", 6, 2), ("mobile", "192.0.2.0/24", 1, 0)],
    "traffic_by_node": [("first", 10, 5, 4, 2)],
    "exceptions_by_node": [
        ("first", "api_key.missing", 2, 1.0),
        ("first", "rate_limit.exceeded", 1, 1.0),
        ("first", "route.not_found", 1, 1.0),
        ("first", "upstream.failed", 1, 1.0),
    ],
    "cache_by_route": [("orders", "v1", "list", 1, 1, 1.0)],
    "revision_comparison": [(REVISION, 7, 3 / 7, 0.0), (OTHER, 3, 2 / 3, 2 / 3)],
    "revision_reasons": [
        (REVISION, "api_key.missing", 2, 2 / 7),
        (REVISION, "route.not_found", 1, 1 / 7),
        (OTHER, "rate_limit.exceeded", 1, 1 / 3),
        (OTHER, "upstream.failed", 1, 1 / 3),
    ],
}


@pytest.fixture(autouse=True)
def _recorded(recordings: Path) -> None:
    events = sorted(EVENTS, key=lambda one: one["at"])
    segment(recordings, events[:4])
    index.index_new()
    taking.take_new()
    # The rest is not in Parquet yet.
    segment(recordings, events[4:], number=2)


def run(name: str, span: Span, **asked: Any) -> list[tuple[Any, ...]]:
    query = BY_NAME[name](span=span, **asked)
    return [tuple(getattr(row, one.name) for one in fields(row)) for row in query.run()]


@pytest.mark.parametrize("span", [FINE, COARSE], ids=["five minutes", "hours and what is beside them"])
@pytest.mark.parametrize("is_taken", [False, True], ids=["half is not in Parquet", "all is in Parquet"])
def test_each_query_says_what_the_events_say(span: Span, *, is_taken: bool) -> None:
    if is_taken:
        index.index_new()
        taking.take_new()
    for name, expected in EXPECTED.items():
        found = run(name, span)
        assert [row[: len(expected[0])] for row in found] == expected, name


def test_the_summary_and_the_series_count_the_same() -> None:
    (summary,) = run("traffic_summary", FINE)
    assert summary[:6] == (10, 5, 4, 2, 1, 2)
    for name, place in (("traffic_over_time", 1), ("latency_over_time", 1), ("errors_over_time", 1)):
        assert sum(row[place] for row in run(name, FINE)) == 10, name
    assert sum(sum(row[1:]) for row in run("exceptions_over_time", FINE)) == 5
    assert sum(row[1] for row in run("traffic_by_hour_of_week", FINE)) == 10
    assert sum(row[2] for row in run("cache_over_time", FINE)) == 1


def test_the_hour_of_the_week_begins_on_monday() -> None:
    for hour, _, weeks in run("traffic_by_hour_of_week", FINE):
        assert divmod(hour, 24) in {(NOON.weekday(), 12), (NOON.weekday(), 13)}
        assert weeks == 1


def test_latencies_are_percentiles_and_the_slowest_call_is_named() -> None:
    (row,) = [row for row in run("latency_by_route", FINE) if row[2] == "get" and row[1] == "v1"]
    assert 10 <= row[4] <= 20
    assert 500 <= row[6] <= 1_000
    assert 0 < row[7] < 1
    slow = run("slowest_calls", FINE, limit=1)
    assert [(one[0], one[8]) for one in slow] == [(AT + MINUTE, 900.0)]


def test_exceptions_are_told_by_what_their_callers_can_do() -> None:
    rows = run("exceptions_by_remedy", FINE)
    assert [row[1:] for row in rows if "api_key.missing" in row[1]] == [(("api_key.missing",), 2)]
    assert sum(row[2] for row in rows) == 5
    assert all(row[0] for row in rows if "rate_limit.exceeded" in row[1])


def test_filters_leave_the_others_out() -> None:
    assert run("traffic_by_api", FINE, application="mobile") == [
        ("orders", 1, 0, 0, 70_000, pytest.approx(19.5))
    ]
    assert run("version_callers", FINE, api_version="v2")[0][:3] == ("mobile", "orders", "v2")
    assert [row[0] for row in run("top_refused_sources", FINE, alert="rate_limit_exceeded")] == ["192.0.2.1"]
    assert run("traffic_by_api", FINE, api="nothing") == []
    assert len(run("traffic_by_status", FINE, limit=2)) == 2


def test_what_else_a_source_did_is_told() -> None:
    (row,) = run("source_activity", FINE, source="192.0.2.66")
    assert row == ("orders", "get", "", "api_key.missing", 1, 1, AT + 4 * MINUTE, AT + 4 * MINUTE)
    assert run("source_activity", FINE) == []


def test_applications_are_told_by_when_they_came() -> None:
    assert [row[0] for row in run("applications_seen", FINE)] == ["mobile", "shop"]


def test_who_took_most_data_comes_first() -> None:
    assert run("top_sources_by_bytes", FINE)[0][0] == "192.0.2.9"


def test_text_of_others_is_never_sql() -> None:
    for name in ("traffic_by_api", "version_callers", "top_refused_sources", "source_activity"):
        for parameter in BY_NAME[name].parameters():
            if parameter != "limit":
                assert run(name, FINE, **{parameter: "' OR 1=1 --"}) == []


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_every_query_is_described_typed_and_bounded(query: Any) -> None:
    assert query.what
    assert query.__doc__
    assert is_dataclass(query.row)
    assert query(span=COARSE).run() is not None
    is_series = {"over_time", "of_week", "summary"} & {query.name[-9:], query.name[-7:]}
    is_grouped_here = query.name in {"exceptions_by_remedy", "model_usage_by_team"}
    assert is_series or "$limit" in query.text or is_grouped_here


def test_an_empty_store_gives_empty_answers(recordings: Path) -> None:
    for path in recordings.glob("*.zst"):
        path.unlink()
    past = between(NOON - timedelta(days=30), NOON - timedelta(days=20))
    for query in QUERIES:
        assert query(span=past).run() == [] or query.name.endswith("_summary")
    (nothing,) = BY_NAME["traffic_summary"](span=past).run()
    assert (nothing.calls, nothing.p50_ms) == (0, None)
