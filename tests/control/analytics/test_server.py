"""A real ClickHouse server gets each recorded call once, and answers what the files here would."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import clickhouse
import httpx
import pytest
from control.analytics.recorded import segment
from control.analytics.test_clickhouse import ASKED, near
from control.analytics.test_models import EVENTS as OF_MODELS
from control.analytics.test_queries import COARSE, EVENTS, FINE
from control.analytics.test_rollups import calls
from django.conf import settings as django_settings
from lockgate.control.analytics import server, store, tail, taking, worker
from lockgate.control.analytics.connecting import connect
from lockgate.control.analytics.models import LIVE, Part
from lockgate.control.analytics.queries import QUERIES
from lockgate.control.analytics.queries.traffic import TrafficSummary
from lockgate.control.configuration import ConfigurationError
from lockgate.control.events import index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockgate.control.events.times import Span

pytestmark = pytest.mark.skipif(not clickhouse.LIBRARY.exists(), reason=clickhouse.MISSING)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with clickhouse.server(tmp_path_factory.mktemp("clickhouse")) as found:
        yield found


def url(
    address: str, *, user: str = clickhouse.USER, password: str = clickhouse.PASSWORD, database: str = ""
) -> str:
    secret = quote(password, safe="")
    return f"http://{user}:{secret}@{address}/{database or clickhouse.DATABASE}"


def told(address: str, sql: str) -> str:
    """What the server says to its administrator."""
    answer = httpx.post(f"http://{address}", params={"database": clickhouse.DATABASE}, content=sql)
    assert answer.is_success, answer.text
    return answer.text.strip()


@pytest.fixture(autouse=True)
def _own_table(address: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(server, "SETTLED_SECONDS", 0)
    told(address, "DROP TABLE IF EXISTS events SYNC")
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"clickhouse": url(address)})
    server.forget()
    tail.forget()
    yield
    server.forget()


@pytest.fixture
def recorded(recordings: Path) -> Path:
    """Four segments, all taken."""
    segment(recordings, EVENTS, 1)
    segment(recordings, calls(400, 3), 2)
    segment(recordings, [{**EVENTS[0], "client": "2001:db8::7", "id": "six"}], 3)
    segment(recordings, sorted(OF_MODELS, key=lambda one: one["at"]), 4)
    index.index_new()
    assert taking.take_new() == 0
    return recordings


def here() -> None:
    """Answers come from the files."""
    django_settings.LOCKGATE = django_settings.LOCKGATE.model_copy(update={"clickhouse": None})


def both(span: Span) -> dict[str, Any]:
    """Which queries the server answers otherwise than the files do; it must answer every one."""
    asked = []
    for query in QUERIES:
        for filters in (ASKED[0], ASKED[2], ASKED[-1]):
            known = {name: value for name, value in filters.items() if name in query.parameters()}
            one = query(span=span, **known)  # type: ignore[arg-type]
            found = server.rows(one)
            assert found is not None, query.name
            asked.append((one, known, near(one.made(found))))
    with_server = django_settings.LOCKGATE
    here()
    differ = {one.name: (known, theirs) for one, known, theirs in asked if theirs != near(one.run())}
    django_settings.LOCKGATE = with_server
    return differ


def counted() -> int:
    """How many calls the server answers of, by what pages ask."""
    found = server.rows(TrafficSummary(span=COARSE))
    assert found is not None
    return int(TrafficSummary(span=COARSE).made(found)[0].calls)


@pytest.mark.parametrize("span", [FINE, COARSE], ids=["five minutes", "hours and what is beside them"])
@pytest.mark.usefixtures("recorded")
def test_it_answers_every_query_as_the_files_do(span: Span) -> None:
    worker.send_recording()
    assert Part.objects.filter(is_sent=False).count() == 0
    assert both(span) == {}


def test_what_is_not_sent_yet_is_given_along_and_counted_once(recorded: Path, address: str) -> None:
    """Of four segments one is there, one half way, one not begun; a fifth is not even taken."""
    assert server.send_new(1) == 1
    total = counted()
    assert told(address, "SELECT count() FROM events") != str(total)
    server.send_new(1)
    begun = Part.objects.filter(is_sent=True).order_by("first_at", "id").last()
    assert begun is not None
    # The server had it all when whoever sent it died.
    Part.objects.filter(pk=begun.pk).update(is_sent=False)
    assert counted() == total
    segment(recorded, [{**EVENTS[0], "id": "fifth"}], 5)
    index.index_new()
    assert counted() == total + 1
    assert both(COARSE) == {}


@pytest.mark.usefixtures("recorded")
def test_what_is_sent_again_is_there_once(address: str) -> None:
    worker.send_recording()
    many = told(address, "SELECT count() FROM events")
    assert int(many) == sum(Part.objects.values_list("events", flat=True))
    # Whoever sent them died before it could say so: half of them while the server was still taking them.
    Part.objects.update(is_sent=False)
    Part.objects.filter(pk__in=list(Part.objects.values_list("pk", flat=True))[:2]).update(server="")
    worker.send_recording()
    assert told(address, "SELECT count() FROM events") == many
    assert Part.objects.filter(is_sent=False).count() == 0


@pytest.mark.usefixtures("recorded")
def test_a_part_is_sent_when_nobody_has_its_calls_from_the_segment_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "SETTLED_SECONDS", 10)
    taken = sorted(Part.objects.values_list("since", flat=True))
    monkeypatch.setattr(time, "time", lambda: taken[0] + 9.0)
    total = counted()
    assert server.send_new() == 0
    monkeypatch.setattr(time, "time", lambda: taken[-1] + 10.0)
    assert server.send_new() == Part.objects.filter(state=LIVE).count() > 1
    assert counted() == total


@pytest.mark.usefixtures("recorded")
def test_only_what_the_server_has_is_merged_and_it_goes_on_answering() -> None:
    total, parts = counted(), Part.objects.filter(state=LIVE).count()
    assert parts > 1
    taking.merge()
    assert Part.objects.filter(state=LIVE).count() == parts
    worker.send_recording()
    taking.merge()
    assert Part.objects.filter(state=LIVE).count() < parts
    assert Part.objects.filter(state=LIVE, is_sent=False).count() == 0
    assert server.send_new() == 0
    assert counted() == total


@pytest.mark.usefixtures("recorded")
def test_a_table_that_was_lost_is_filled_again(address: str) -> None:
    worker.send_recording()
    many = told(address, "SELECT count() FROM events")
    told(address, "DROP TABLE events SYNC")
    server.forget()
    assert both(COARSE) == {}
    worker.send_recording()
    assert told(address, "SELECT count() FROM events") == many


@pytest.mark.usefixtures("recorded")
def test_days_that_are_too_old_are_dropped_whole(address: str) -> None:
    worker.send_recording()
    days = told(address, "SELECT DISTINCT partition_id FROM system.parts WHERE table = 'events' AND active")
    assert len(days.splitlines()) >= 1
    last = max(days.splitlines())
    second = int(datetime.strptime(last, "%Y%m%d").replace(tzinfo=UTC).timestamp())
    server.drop_before(second + 60)
    assert (
        told(address, "SELECT DISTINCT toYYYYMMDD(fromUnixTimestamp64Micro(micros, 'UTC')) FROM events")
        == last
    )
    server.drop_before(second + 86_400)
    assert told(address, "SELECT count() FROM events") == "0"


@pytest.mark.usefixtures("recorded")
def test_while_it_does_not_answer_the_files_do(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"clickhouse": url("127.0.0.1:1")})
    assert TrafficSummary(span=COARSE).run()[0].calls > 0
    assert server.send_new() == 0
    taking.merge()
    warnings = [
        one.message for one in caplog.records if "no ClickHouse server answers at 127.0.0.1:1" in one.message
    ]
    # It rests: nobody waits for it again.
    assert len(warnings) == 1
    assert clickhouse.PASSWORD not in caplog.text


@pytest.mark.usefixtures("recorded")
def test_a_server_that_fails_in_the_middle_is_left_alone_for_a_while(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.send_recording()
    total = counted()
    told(address, "DROP TABLE events SYNC")
    assert server.rows(TrafficSummary(span=COARSE)) is None
    assert TrafficSummary(span=COARSE).run()[0].calls == total
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + server.REST_SECONDS + 1)
    assert counted() == total


def test_more_than_can_be_given_along_is_asked_of_the_files(
    recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_GIVEN", 100)
    assert server.rows(TrafficSummary(span=COARSE)) is None
    worker.send_recording()
    assert server.rows(TrafficSummary(span=COARSE)) is not None
    segment(recorded, calls(200, 9), 6)
    index.index_new()
    assert server.rows(TrafficSummary(span=COARSE)) is None


def problem(address: str) -> tuple[str, str]:
    with pytest.raises(ConfigurationError) as caught:
        connect(address)
    return str(caught.value), caught.value.help


def test_what_is_wrong_with_an_address_is_said_without_its_password(address: str) -> None:
    for wrong, message, help_ in (
        (url("127.0.0.1:1"), "no ClickHouse server answers at 127.0.0.1:1", "leave --clickhouse out"),
        (
            url(address, password="wrong"),
            "does not let `lockgate` in with this password",
            "LOCKGATE_CLICKHOUSE",
        ),
        (url(address, database="nowhere"), "there is no database `nowhere`", "CREATE DATABASE nowhere"),
        (
            url(address, user="reader"),
            "`reader` may not do what is needed in `calls`",
            "GRANT SELECT, INSERT",
        ),
        (
            "http://a:secret@[b/c",
            "names no database of a ClickHouse server",
            "https://USER:PASSWORD@HOST:8443",
        ),
        ("tcp://a:secret@b/c", "names no database of a ClickHouse server", "https://USER:PASSWORD@HOST:8443"),
        ("http://a:secret@b", "names no database of a ClickHouse server", "https://USER:PASSWORD@HOST:8443"),
        (
            "http://a:secret@b:x/c",
            "names no database of a ClickHouse server",
            "https://USER:PASSWORD@HOST:8443",
        ),
    ):
        said, to_do = problem(wrong)
        assert message in said
        assert help_ in to_do
        assert "secret" not in said
        assert clickhouse.PASSWORD not in said


def test_a_table_that_is_not_ours_is_left_alone(address: str) -> None:
    told(address, "CREATE TABLE events (a Int64) ENGINE = MergeTree ORDER BY a")
    said, to_do = problem(url(address))
    assert "`events` in the database `calls`" in said
    assert "was not made by Lockgate" in said
    assert to_do == "name a database of its own: CREATE DATABASE lockgate"
    told(address, "DROP TABLE events SYNC")
    connect(url(address))
    told(address, "ALTER TABLE events DROP COLUMN batch")
    said, to_do = problem(url(address))
    assert "was made by another version" in said
    assert "DROP TABLE events" in to_do


@pytest.mark.usefixtures("recorded")
def test_it_is_not_used_when_nobody_named_one(settings: Any) -> None:
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"clickhouse": None})
    assert server.rows(TrafficSummary(span=COARSE)) is None
    assert server.send_new() == 0
    parts = Part.objects.filter(state=LIVE).count()
    taking.merge()
    assert Part.objects.filter(state=LIVE).count() < parts
    assert store.folder().is_dir()
