"""Roll-ups: what is read of days and hours is what the events say, whichever pieces a span is made of."""

from __future__ import annotations

import random
import time
from dataclasses import fields
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from control.analytics.recorded import OTHER, REVISION, event, hour_of_yesterday, micros, segment
from lockgate.control.analytics import drawn, duck, held, relations, taking
from lockgate.control.analytics.queries import QUERIES
from lockgate.control.analytics.report import Report
from lockgate.control.analytics.tables import HOUR, single
from lockgate.control.events import index
from lockgate.control.events.metrics import BY_NAME as METRICS
from lockgate.control.events.times import Span, between

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NOON = hour_of_yesterday()
SPANS = {
    "whole days": (timedelta(days=-6), timedelta(days=3)),
    "days, hours and minutes": (timedelta(days=-4, minutes=-25), timedelta(minutes=95)),
    "a day": (timedelta(hours=-23, minutes=-35), timedelta(minutes=25)),
    "hours": (timedelta(hours=-3), timedelta(hours=1)),
    "minutes": (timedelta(minutes=-25), timedelta(minutes=-5)),
}
FILTERS: list[dict[str, str]] = [
    {},
    {"api": "orders"},
    {"application": "shop"},
    {"api": "orders", "route": "get"},
    {"api": "orders", "application": "shop"},
]


def model_call(drawn: random.Random) -> dict[str, Any] | None:
    if drawn.random() < 0.6:
        return None
    tokens = {"input_tokens": drawn.randrange(900), "output_tokens": drawn.randrange(90)}
    # Nothing is drawn for these, so that what is drawn afterwards stays what it was.
    number = tokens["input_tokens"]
    ends: dict[str, Any] = {"reasoning_tokens": number % 40} if number % 3 else {}
    ends |= {"finish": ("stop", "length", "flux", "content_filter")[number % 4]} if number % 5 else {}
    return {
        **ends,
        "model": drawn.choice(["fast", "best"]),
        "provider": drawn.choice(["openai", "mistral"]),
        "provider_model": "m-1",
        "stream": drawn.random() < 0.5,
        "partial": drawn.random() < 0.1,
        **(tokens if drawn.random() < 0.9 else {}),
        **({"cost": drawn.randrange(9_000)} if drawn.random() < 0.7 else {}),
    }


def calls(many: int, seed: int) -> list[dict[str, Any]]:
    drawn = random.Random(seed)
    shadow = {"id": "k", "kind": "require", "scope": "v1", "word": "deny", "code": "require.scope"}
    found = []
    for number in range(many):
        code = drawn.choice([None] * 6 + ["api_key.missing", "rate_limit.exceeded", "upstream.failed"])
        is_refused = code not in {None, "upstream.failed"}
        # Many of them in the last hours, so that minutes have some.
        ago = drawn.randrange(drawn.choice([5 * 86_400, 9_000]) * 1_000_000)
        found.append(
            event(
                micros(NOON) + 7_200_000_000 - ago,
                id=f"r{seed}-{number}",
                api=drawn.choice(["orders", "stock"]),
                api_version=drawn.choice(["v1", "v2"]),
                route=drawn.choice(["get", "list"]),
                application=drawn.choice(["shop", "mobile", None]),
                client=f"192.0.2.{drawn.randrange(9)}",
                revision=drawn.choice([REVISION, OTHER]),
                decision="refuse" if is_refused else "forward",
                code=code,
                status={None: drawn.choice([200, 200, 500]), "upstream.failed": 502}.get(code, 429),
                tries=0 if is_refused else drawn.choice([0, 1, 2]),
                upstream=None if is_refused else "service",
                target=None if is_refused else drawn.choice(["10.0.0.1:80", "10.0.0.2:80"]),
                latency_us=drawn.randrange(12_000_000),
                bytes_out=drawn.randrange(9_000),
                verdicts=[{**shadow, "shadow": True}] if drawn.random() < 0.1 else [],
                upstream_us=drawn.randrange(2_000_000),
                model_call=None if is_refused else model_call(drawn),
            )
        )
    return sorted(found, key=lambda one: one["at"])


@pytest.fixture(autouse=True)
def _recorded(recordings: Path) -> None:
    for number in (1, 2):
        segment(recordings, calls(300, number), number)
    index.index_new()
    taking.take_new()
    # The rest is not in Parquet yet.
    segment(recordings, calls(60, 3), 3)


def span_of(name: str) -> Span:
    start, end = SPANS[name]
    return between(NOON + start, NOON + end)


def answers(span: Span, asked: dict[str, str]) -> dict[str, Any]:
    found = {}
    for query in QUERIES:
        given: dict[str, Any] = {name: value for name, value in asked.items() if name in query.parameters()}
        rows = query(span=span, limit=1_000, **given).run()
        found[query.name] = sorted(tuple(str(getattr(row, one.name)) for one in fields(row)) for row in rows)
    return found


def from_events(patched: pytest.MonkeyPatch) -> None:
    """Let everything be counted in the events, and nothing of it be known before."""

    def series(self: relations.Relations, _: tuple[str, ...]) -> str:
        size = 300 if self._is_fine else HOUR
        second = f"micros // 1000000 // {size} * {size}"
        return f"SELECT {single(second, ('api', 'route', 'application'))} FROM events"

    patched.setattr(relations, "_whole", lambda _start, end, _size: (end, end))
    patched.setattr(relations.Relations, "_series", series)
    patched.setattr(held, "_held", {})


@pytest.mark.parametrize("asked", FILTERS, ids=lambda asked: " and ".join(asked) or "all")
@pytest.mark.parametrize("name", SPANS)
def test_every_query_answers_what_the_events_say(
    monkeypatch: pytest.MonkeyPatch, name: str, asked: dict[str, str]
) -> None:
    span = span_of(name)
    alone = answers(span, asked)
    with relations.at_once():
        assert answers(span, asked) == alone, "queries of a page"
    with monkeypatch.context() as patched:
        from_events(patched)
        expected = answers(span, asked)
    assert alone == expected
    assert expected["traffic_summary"][0][0] != "0"


@pytest.mark.parametrize("name", SPANS)
def test_the_report_counts_what_the_events_say(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    span = span_of(name)
    metrics = [METRICS[one] for one in ("traffic", "security_violations", "rate_limit_exceeded")]

    def told() -> list[Any]:
        report = Report(span, metrics)
        return [(report.total(one), report.series(one), report.breakdown(one)) for one in metrics]

    found = told()
    with monkeypatch.context() as patched:
        from_events(patched)
        assert told() == found
    assert found[0][0] == sum(count for count in found[0][1].values())


def test_charts_of_a_page_that_show_the_same_numbers_ask_once(monkeypatch: pytest.MonkeyPatch) -> None:
    span = span_of("whole days")
    asked: list[str] = []
    ask = relations.Relations.ask

    def counted(self: relations.Relations, text: str, given: Mapping[str, object] | None = None) -> Any:
        asked.append(text)
        return ask(self, text, given)

    monkeypatch.setattr(relations.Relations, "ask", counted)
    with relations.at_once():
        charts = [drawn.chart(name, span) for name in ("cost", "tokens", "first_token")]
        drawn.chart("cost", span, api="nobody's")
    assert len({chart.title for chart in charts}) == 3
    assert len(asked) == 2


def test_the_same_is_read_once_and_what_comes_is_added(
    recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    span = span_of("whole days")
    before = answers(span, {})
    with monkeypatch.context() as patched:
        patched.setattr(relations.Relations, "_stored", lambda *_: pytest.fail("it was read again"))
        assert answers(span, {}) == before
    segment(recordings, calls(5, 4), 4)
    index.index_new()
    taking.take_new()
    assert int(answers(span, {})["traffic_summary"][0][0]) == 665


def test_what_nobody_asks_for_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "_held", {})
    now = time.monotonic()
    names = []
    for number in range(3):
        monkeypatch.setattr(time, "monotonic", lambda number=number: now + 100 * number)
        names.append(held.held(number, lambda: "SELECT * FROM range(10)"))
        assert held.held(number, lambda: pytest.fail("it is held")) == names[-1]
    one = held.size() // 3
    monkeypatch.setattr(held, "MOST_BYTES", 3 * one)
    monkeypatch.setattr(time, "monotonic", lambda: now + 230)
    held.held("more", lambda: "SELECT * FROM range(10)")
    # Those of just now stay: somebody may be about to read them.
    assert held.size() == 2 * one
    monkeypatch.setattr(time, "monotonic", lambda: now + 230 + held.UNUSED_SECONDS + 1)
    held.held("last", lambda: "SELECT 1")
    assert held.size() == one


def test_what_does_not_fit_is_read_each_time_and_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "_held", {})
    monkeypatch.setattr(held, "MOST_BYTES", 1)
    held.held("first", lambda: "SELECT 1")
    kept = held.size()
    for _ in range(2):
        found = held.held("second", lambda: "SELECT 7 AS seven")
        assert duck.cursor().execute(f"SELECT * FROM {found}").fetchall() == [(7,)]
    assert held.size() == kept


def test_of_what_is_held_no_less_is_counted_than_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "_held", {})
    taken = "SELECT memory_usage_bytes FROM duckdb_memory() WHERE tag = 'IN_MEMORY_TABLE'"
    for rows in (1, 2_000, 2_100, 100_000):
        many = [f"hash(range + {number}) AS c{number}" for number in range(40)]
        (before,) = duck.cursor().execute(taken).fetchone() or (0,)
        counted = held.size()
        held.held(rows, partial(str, f"SELECT {', '.join(many)} FROM range({rows})"))
        (after,) = duck.cursor().execute(taken).fetchone() or (0,)
        assert 0 < after - before <= held.size() - counted


def test_what_cannot_be_read_is_asked_for_again() -> None:
    with pytest.raises(duckdb.Error):
        held.held("broken", lambda: "SELECT * FROM read_parquet('/nowhere/*.parquet')")
    name = held.held("broken", lambda: "SELECT 7 AS seven")
    assert duck.cursor().execute(f"FROM {name}").fetchall() == [(7,)]
