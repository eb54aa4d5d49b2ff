"""Calls to models: tokens and money are counted, and what nobody knows is counted apart, never as nothing."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from control.analytics.recorded import asked, event, hour_of_yesterday, micros, refused, segment
from lockgate.control.access.models import Application, Team
from lockgate.control.analytics import duck, model_calls, relations, store, tables, taking
from lockgate.control.analytics.models import LIVE, Part
from lockgate.control.analytics.queries import BY_NAME
from lockgate.control.analytics.queries.models import ModelQuery
from lockgate.control.events import index
from lockgate.control.events.times import between

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.control.events.times import Span

NOON = hour_of_yesterday()
AT = micros(NOON)
MINUTE = 60_000_000
SPAN = between(NOON - timedelta(hours=1), NOON + timedelta(hours=3))
DAYS = between(NOON - timedelta(days=3, minutes=25), NOON + timedelta(minutes=95))
UNPRICED: dict[str, Any] = {"cost": None, "provider": "mistral", "provider_model": "m-9"}
NOT_SAID: dict[str, Any] = {"cost": None, "input_tokens": None, "output_tokens": None}
EVENTS = [
    asked(AT, call={"stream": True, "cached_tokens": 40, "finish": "stop"}, upstream_us=400_000),
    asked(AT + MINUTE, call={"stream": True, "finish": "tool_calls"}, upstream_us=900_000, tries=2),
    asked(
        AT + 2 * MINUTE,
        "best",
        application="mobile",
        call={"cost": 50_000, "output_tokens": 500, "reasoning_tokens": 450, "finish": "length"},
    ),
    # Nobody knows its price, though its tokens are known.
    asked(AT + 3 * MINUTE, "local", call=UNPRICED),
    asked(AT + 4 * MINUTE, call={**NOT_SAID, "partial": True, "failure": "upstream_stream_truncated"}),
    # What a provider refuses took nothing: neither money nor tokens are unknown.
    asked(AT + 5 * MINUTE, status=503, call={**NOT_SAID, "failure": "unavailable"}),
    # A policy withheld the answer, which was paid for all the same.
    asked(
        AT + 70 * MINUTE,
        status=403,
        decision="refuse",
        code="completion_guard.withheld",
        application=None,
        call={"failure": "completion_guard.withheld", "finish": "content_filter"},
    ),
    # The list of models, and a call that a budget refused: no provider was asked.
    asked(AT + 6 * MINUTE, "", call={**NOT_SAID, "provider": None, "provider_model": None}),
    refused(AT + 7 * MINUTE, "budget.exceeded", 429, api="ai", route="chat", application="shop"),
    event(AT + 8 * MINUTE),
]


@pytest.fixture(autouse=True)
def _recorded(recordings: Path) -> None:
    events = sorted(EVENTS, key=lambda one: one["at"])
    segment(recordings, events[:4])
    take()
    # The rest is not in Parquet yet.
    segment(recordings, events[4:], number=2)


def take() -> None:
    index.index_new()
    taking.take_new()


def rows(name: str, span: Span = SPAN, **given: Any) -> list[dict[str, Any]]:
    return [asdict(row) for row in BY_NAME[name](span=span, **given).run()]


def picked(name: str, *fields: str, span: Span = SPAN, **given: Any) -> list[tuple[Any, ...]]:
    return [tuple(row[field] for field in fields) for row in rows(name, span, **given)]


@pytest.mark.parametrize("span", [SPAN, DAYS], ids=["hours", "days and what is beside them"])
@pytest.mark.parametrize("is_taken", [False, True], ids=["half is not in Parquet", "all is in Parquet"])
def test_each_model_says_what_it_took_and_whose_price_nobody_knows(span: Span, *, is_taken: bool) -> None:
    if is_taken:
        take()
    found = picked(
        "model_usage", "model", "provider", "calls", "cost", "unpriced", "output_tokens", span=span
    )
    assert found == [
        ("best", "openai", 1, 50_000, 0, 500),
        ("fast", "openai", 5, 6_000, 1, 60),
        ("local", "mistral", 1, None, 1, 20),
    ]
    assert picked("model_usage", "model", "reasoning_tokens", span=span) == [
        ("best", 450),
        ("fast", 0),
        ("local", 0),
    ]
    (whole,) = rows("models_summary", span)
    assert whole["reasoning_tokens"] == 450
    assert (whole["calls"], whole["cost"], whole["unpriced"], whole["uncounted"]) == (7, 56_000, 2, 1)
    assert (whole["input_tokens"], whole["cached_tokens"], whole["output_tokens"]) == (500, 40, 580)
    assert (whole["unanswered"], whole["partial"], whole["applications"]) == (1, 1, 2)


def test_the_price_of_a_span_in_which_none_is_known_is_unknown_and_not_nothing() -> None:
    (whole,) = rows("models_summary", model="local")
    assert (whole["cost"], whole["unpriced"]) == (None, 1)
    (nothing,) = rows("models_summary", model="nobody")
    assert (nothing["calls"], nothing["cost"], nothing["unpriced"]) == (0, 0, 0)


def test_applications_and_their_teams_are_told_apart() -> None:
    web = Team.objects.create(name="web", title="Web")
    Application.objects.create(name="shop", title="Shop", team=web, created_by="ada@example.com")
    found = picked("model_usage_by_application", "application", "model", "calls", "cost", "unpriced")
    assert found == [
        ("mobile", "best", 1, 50_000, 0),
        ("shop", "fast", 4, 4_000, 1),
        ("", "fast", 1, 2_000, 0),
        ("shop", "local", 1, None, 1),
    ]
    found = picked("model_usage_by_team", "team", "applications", "calls", "cost", "unpriced")
    assert found == [("", 1, 2, 52_000, 0), ("web", 1, 5, 4_000, 2)]
    assert len(rows("model_usage_by_team", limit=1)) == 1


def test_a_team_of_which_no_cost_is_known_has_none_whatever_its_providers_refused(recordings: Path) -> None:
    web = Team.objects.create(name="web", title="Web")
    for name in ("refused", "unpriced"):
        Application.objects.create(name=name, title=name, team=web, created_by="ada@example.com")
    nothing = {**NOT_SAID, "failure": "unavailable"}
    segment(
        recordings,
        [
            asked(AT + 9 * MINUTE, application="refused", status=503, call=nothing),
            asked(AT + 10 * MINUTE, application="unpriced", call=UNPRICED),
        ],
        number=3,
    )
    found = picked("model_usage_by_team", "team", "calls", "cost", "priced", "unpriced")
    assert ("web", 2, None, 0, 1) in found


def test_cost_is_told_by_day_and_along_the_time() -> None:
    day = int(NOON.replace(hour=0).timestamp())
    found = picked("model_usage_by_day", "day", "model", "cost", "unpriced")
    assert found == [(day, "best", 50_000, 0), (day, "fast", 6_000, 1), (day, "local", None, 1)]
    noon = int(NOON.timestamp())
    # Points are an hour apart, though five minutes are asked for.
    found = picked("models_over_time", "second", "calls", "cost", "unpriced", step=300)
    assert found == [(noon, 6, 54_000, 2), (noon + 3_600, 1, 2_000, 0)]


def test_a_provider_is_told_by_its_errors_its_fallbacks_and_when_its_streams_begin() -> None:
    first, second = rows("model_providers")
    assert (first["provider"], first["calls"], first["unanswered"], first["partial"]) == ("openai", 6, 1, 1)
    assert (first["retried"], first["streams"], first["share"]) == (1, 2, 1 / 6)
    assert 250 <= first["p50_ms"] <= 500
    assert 500 <= first["p95_ms"] <= 1_000
    assert (second["provider"], second["unanswered"], second["p50_ms"]) == ("mistral", 0, None)


def test_what_went_wrong_is_told_by_its_failure() -> None:
    assert picked("model_failures", "model", "failure", "status", "calls") == [
        ("fast", "completion_guard.withheld", 403, 1),
        ("fast", "unavailable", 503, 1),
        ("fast", "upstream_stream_truncated", 200, 1),
    ]


@pytest.mark.parametrize("span", [SPAN, DAYS], ids=["hours", "days and what is beside them"])
def test_why_answers_ended_is_told_by_model_and_what_nobody_said_is_counted_apart(span: Span) -> None:
    words = ("said_all", "called_tools", "ran_out", "filtered", "declined", "ended_otherwise", "unsaid")
    assert picked("model_ends", "model", "provider", "calls", *words, span=span) == [
        ("fast", "openai", 5, 1, 1, 0, 1, 0, 0, 2),
        ("best", "openai", 1, 0, 0, 1, 0, 0, 0, 0),
        ("local", "mistral", 1, 0, 0, 0, 0, 0, 0, 1),
    ]


def test_each_word_of_a_node_has_its_column(recordings: Path) -> None:
    by_word = {
        **dict.fromkeys(("stop", "stop_sequence"), "said_all"),
        **dict.fromkeys(("pause", "other", "error"), "ended_otherwise"),
        "tool_calls": "called_tools",
        "length": "ran_out",
        "content_filter": "filtered",
        "refusal": "declined",
    }
    ended = [
        asked(AT + 9 * MINUTE + place, word, call={"finish": word}) for place, word in enumerate(by_word)
    ]
    segment(recordings, ended, number=3)
    for word, column in by_word.items():
        ((counted, unsaid),) = picked("model_ends", column, "unsaid", model=word)
        assert (counted, unsaid) == (1, 0), word


def test_the_prices_that_a_cost_was_counted_by_are_kept(recordings: Path) -> None:
    priced = [
        asked(AT + 9 * MINUTE, "dated", call={"priced_by": "2026-11-26"}),
        asked(AT + 10 * MINUTE, "dated", call={"priced_by": "document"}),
        asked(AT + 11 * MINUTE, "dated", call={"cost": None}),
    ]
    segment(recordings, priced, number=3)
    take()
    found = relations.Relations(SPAN).ask(
        "SELECT priced_by, count(*) FROM events WHERE model = 'dated' GROUP BY ALL ORDER BY ALL"
    )
    assert found == [("", 1), ("2026-11-26", 1), ("document", 1)]


@pytest.mark.parametrize("name", [name for name, one in BY_NAME.items() if issubclass(one, ModelQuery)])
def test_filters_leave_the_others_out(name: str) -> None:
    calls = [row["calls"] for row in rows(name, application="mobile", model="best", provider="openai")]
    assert sum(calls) == (0 if name == "model_failures" else 1)
    assert sum(row["calls"] for row in rows(name, application="mobile", model="fast")) == 0
    assert sum(row["calls"] for row in rows(name, model="' OR 1=1 --")) == 0


def test_what_was_given_back_has_no_unknown_price(recordings: Path) -> None:
    left: dict[str, Any] = {"application": "left", "status": 0}
    gone = [
        asked(AT + 9 * MINUTE, **left, call={**NOT_SAID, "given_back": True}),
        asked(AT + 10 * MINUTE, **left, call={**NOT_SAID, "partial": True}),
    ]
    segment(recordings, gone, number=3)
    (whole,) = rows("models_summary", application="left")
    assert (whole["calls"], whole["unpriced"], whole["uncounted"]) == (2, 1, 1)


def test_numbers_that_no_call_can_have_break_nothing(recordings: Path) -> None:
    huge = {"input_tokens": 2**64 - 1, "cost": 2**63}
    segment(recordings, [asked(AT + 9 * MINUTE, "huge", call=huge, application=None)], number=3)
    take()
    ((cost,),) = picked("model_usage", "cost", model="huge")
    assert cost == 10**15


def old_part(folder: Path) -> Part:
    """A part as it was written before calls to models were told."""
    names = {one[0] for one in duck.cursor().execute("SELECT * FROM no_events").description}
    of_models = names & set(model_calls.COLUMNS.replace(",", " ").split())
    assert {"model", "cost", "is_partial"} <= of_models
    part = part_without(folder, of_models, layout=1)
    for name in ("models_hours", "models_days", "model_failures_hours", "model_failures_days"):
        store.file_of(name, part).unlink()
    return part


def part_without(folder: Path, columns: set[str], layout: int) -> Part:
    """A part of an older layout, whose events have no such columns."""
    path = segment(folder, [asked(AT - MINUTE), event(AT - 2 * MINUTE, application="old")], number=9)
    part = store.begin(NOON.date())
    store.write(part, duck.events_of(duck.recorded([path])))
    path.unlink()
    where = store.file_of("events", part)
    kept = f"SELECT * EXCLUDE ({', '.join(sorted(columns))}) FROM {store.read('events', [part])}"
    duck.cursor().execute(f"CREATE OR REPLACE TABLE old AS {kept}")
    duck.cursor().execute(f"COPY old TO {duck.quoted(where)} (FORMAT parquet)")
    part.layout = layout
    store.commit(part)
    return part


def test_files_from_before_ends_were_told_count_calls_whose_end_nobody_said(recordings: Path) -> None:
    part = part_without(recordings, {"finish", "priced_by", "reasoning_tokens"}, layout=3)
    for table in ("models_hours", "models_days"):
        where = store.file_of(table, part)
        lacking = ", ".join(("reasoning_tokens", *model_calls.ENDS))
        duck.cursor().execute(
            f"CREATE OR REPLACE TABLE old AS SELECT * EXCLUDE ({lacking}) FROM read_parquet('{where}')"
        )
        duck.cursor().execute(f"COPY old TO {duck.quoted(where)} (FORMAT parquet)")
    for _ in range(2):
        assert picked("model_ends", "calls", "said_all", "unsaid", model="fast") == [(6, 1, 3)]
        assert picked("model_usage", "calls", "cost", "reasoning_tokens", model="fast") == [(6, 8_000, 0)]
        taking.merge()
    (part,) = Part.objects.filter(state=LIVE)
    assert part.layout == tables.LAYOUT


def test_older_files_are_read_without_what_they_do_not_say(recordings: Path) -> None:
    before = {name: rows(name) for name in BY_NAME if "model" in name}
    part = old_part(recordings)
    for is_alone in (False, True):
        assert {name: rows(name) for name in before} == before
        assert "old" in {row["application"] for row in rows("applications_seen")}
        assert BY_NAME["slowest_calls"](span=SPAN, application="old").run()
        if not is_alone:
            Part.objects.exclude(pk=part.pk).update(state="retired")
            before = {name: rows(name) for name in before}
    assert relations.Relations(SPAN).ask(
        "SELECT count(*), count(cost) FROM events WHERE application = 'old'"
    ) == [(1, 0)]


def test_older_files_become_new_ones_when_they_are_merged(recordings: Path) -> None:
    before = rows("model_usage")
    calls = rows("traffic_summary")[0]["calls"]
    old_part(recordings)
    taking.merge()
    (part,) = Part.objects.filter(state=LIVE)
    assert part.layout == tables.LAYOUT
    assert rows("model_usage") == before
    assert rows("traffic_summary")[0]["calls"] == calls + 2


def test_refusals_before_a_model_was_asked_are_told_by_reason() -> None:
    # An answer that a policy withheld was asked for: it is a refusal all the same.
    assert picked("model_refusals", "code", "application", "api", "calls") == [
        ("budget.exceeded", "shop", "ai", 1),
        ("completion_guard.withheld", "", "ai", 1),
    ]
