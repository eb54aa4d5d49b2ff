"""Each named query is asked of DuckDB and of ClickHouse, of the same Parquet files: both say the same.

ClickHouse is its engine in this process, which every developer has; `test_server` asks a real server.
"""

from __future__ import annotations

import json
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import chdb
import pytest
from control.analytics.recorded import segment
from control.analytics.test_models import EVENTS as OF_MODELS
from control.analytics.test_queries import COARSE, EVENTS, FINE
from control.analytics.test_rollups import calls
from lockgate.control.analytics import clickhouse, duck, taking
from lockgate.control.analytics.connecting import SETTINGS, TABLE
from lockgate.control.analytics.queries import QUERIES
from lockgate.control.analytics.store import folder
from lockgate.control.events import index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockgate.control.analytics.queries.query import Query
    from lockgate.control.events.times import Span

ASKED: list[dict[str, str]] = [
    {},
    {"api": "orders"},
    {"application": "shop", "source": "192.0.2.1"},
    {"api": "orders", "route": "get", "api_version": "v1", "alert": "rate_limit_exceeded"},
    {"api": "ai", "model": "fast", "provider": "openai"},
    {"application": "shop", "model": "local"},
    {"api": "' OR 1=1 --", "application": "\\' OR 1=1 --"},
]


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    """ClickHouse's engine in this process."""
    connection = chdb.connect(":memory:")
    connection.query(TABLE)
    yield connection
    connection.close()


@pytest.fixture(autouse=True)
def _recorded(recordings: Path, server: Any) -> None:
    segment(recordings, EVENTS, 1)
    segment(recordings, calls(400, 3), 2)
    sixes = [
        {**one, "client": client, "id": client}
        for one, client in zip(
            EVENTS, ("2001:db8::7", "2001:db8:1:2:3:4:5:6", "::1", "fe80::1"), strict=False
        )
    ]
    segment(recordings, sixes, 3)
    segment(recordings, sorted(OF_MODELS, key=lambda one: one["at"]), 4)
    index.index_new()
    assert taking.take_new() == 0
    server.query("TRUNCATE TABLE events")
    server.query(f"INSERT INTO events SELECT *, '' FROM file('{folder()}/events/*/*.parquet', Parquet)")


def asked(server: Any, query: Query[Any]) -> list[Any]:
    """The rows of ClickHouse."""
    settings = ", ".join(f"{name} = {value}" for name, value in SETTINGS.items())
    text = f"{clickhouse.text_of(query)}\nSETTINGS {settings}"
    answer = server.query(text, "JSONCompactEachRow", params=query.given())
    return query.made([tuple(json.loads(line)) for line in str(answer).splitlines() if line])


def near(rows: list[Any]) -> list[tuple[Any, ...]]:
    """Rows in which fractions that differ by rounding are the same."""
    return [
        tuple(round(value, 6) if isinstance(value, float) else value for value in astuple(row))
        for row in rows
    ]


@pytest.mark.parametrize("span", [FINE, COARSE], ids=["five minutes", "hours and what is beside them"])
def test_both_engines_answer_the_same(span: Span, server: Any) -> None:
    differ = {}
    for query in QUERIES:
        for filters in ASKED:
            known = {name: value for name, value in filters.items() if name in query.parameters()}
            one = query(span=span, **known)  # type: ignore[arg-type]
            theirs, ours = near(asked(server, one)), near(one.run())
            if theirs != ours:
                differ[query.name] = (known, theirs, ours)
    assert differ == {}


def test_each_query_has_something_to_say_of_the_fixtures(server: Any) -> None:
    for query in QUERIES:
        given = {"source": "192.0.2.66"} if "source" in query.parameters() else {}
        assert asked(server, query(span=FINE, **given)), query.name  # type: ignore[arg-type]


def test_an_empty_table_gives_empty_answers(server: Any) -> None:
    server.query("TRUNCATE TABLE events")
    for query in QUERIES:
        found = asked(server, query(span=FINE))
        if query.name.endswith("_summary"):
            assert [(row.calls, row.p95_ms) for row in found] == [(0, None)], query.name
        else:
            assert found == [], query.name


def test_the_table_has_the_columns_of_the_files_in_their_order(server: Any) -> None:
    described = json.loads(str(server.query("DESCRIBE TABLE events", "JSONCompact")))["data"]
    ours = duck.cursor().execute("SELECT * FROM no_events").description
    assert [column[0] for column in described] == [*(column[0] for column in ours), "batch"]
