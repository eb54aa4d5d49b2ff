"""Segments into Parquet: each once, whatever dies in between, and no more of them than is needed."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import duckdb
import pytest
from control.analytics.recorded import event, hour_of_yesterday, micros, refused, segment
from django.utils import timezone
from lockgate import _engine
from lockgate.control.analytics import duck, held, relations, rollups, store, tables, tail, taking, worker
from lockgate.control.analytics.models import LIVE, RETIRED, WRITING, Part, Taken
from lockgate.control.analytics.queries.nodes import ExceptionsByNode, TrafficByNode
from lockgate.control.analytics.queries.sources import ApplicationNetworks
from lockgate.control.analytics.queries.traffic import Summary, TrafficSummary
from lockgate.control.analytics.tables import LAYOUT
from lockgate.control.analytics.waiting import waiting
from lockgate.control.events import index
from lockgate.control.events.alerts import alert_of
from lockgate.control.events.completeness import gaps
from lockgate.control.events.models import Segment
from lockgate.control.events.times import between

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.control.events.times import Span
    from pytest_django.fixtures import Settings

NOON = hour_of_yesterday()
AT = micros(NOON)


def span() -> Span:
    return between(NOON - timedelta(hours=1), NOON + timedelta(hours=5))


def summary() -> Summary:
    (found,) = TrafficSummary(span=span()).run()
    return found


def take() -> None:
    assert index.index_new() == 0
    assert taking.take_new() == 0


def files() -> set[str]:
    return {path.stem for path in store.folder().rglob("*.parquet")}


def test_a_segment_is_taken_once_however_often_one_asks(recordings: Path) -> None:
    segment(recordings, [event(AT), event(AT + 1), refused(AT + 2)])
    take()
    take()
    assert (summary().calls, summary().exceptions) == (3, 1)
    assert Part.objects.get().state == LIVE


def test_what_is_kept_says_nothing_of_headers_bodies_queries_and_people(recordings: Path) -> None:
    segment(recordings, [event(AT)])
    take()
    kept = b"".join(path.read_bytes() for path in store.folder().rglob("*.parquet"))
    assert b"192.0.2.1" in kept
    for secret in (b"ada@example.com", b"secret", b"hmac-sha256"):
        assert secret not in kept


def test_a_part_that_lacks_a_roll_up_is_read_by_its_events_until_it_is_renewed(
    recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment(recordings, [event(AT), event(AT + 1, client="198.51.100.7")])
    take()
    before = ApplicationNetworks(span=span()).run()
    assert [row.network for row in before] == ["192.0.2.0/24", "198.51.100.0/24"]
    part = Part.objects.get()
    Part.objects.update(layout=rollups.SINCE["networks_days"] - 1)
    for table in ("networks_hours", "networks_days", "nodes_hours", "nodes_days"):
        store.file_of(table, part).unlink()
    monkeypatch.setattr(held, "_held", {})
    assert ApplicationNetworks(span=span()).run() == before
    worker.keep_house()
    new = Part.objects.get(state=LIVE)
    assert (new.layout, new.events) == (LAYOUT, part.events)
    assert ApplicationNetworks(span=span()).run() == before
    assert store.file_of("networks_days", new).exists()
    worker.keep_house()
    assert Part.objects.get(state=LIVE) == new


def test_every_roll_up_has_all_calls(recordings: Path) -> None:
    events = [event(AT + number * 400_000_000, api=f"a{number % 3}") for number in range(20)]
    segment(recordings, events)
    take()
    part = Part.objects.get()
    for table in ("calls_hours", "calls_days", "statuses_days", "revisions_hours", "sources_days"):
        read = f"read_parquet('{store.file_of(table, part)}')"
        assert duck.cursor().execute(f"SELECT sum(calls) FROM {read}").fetchone() == (20,)
    fives = f"read_parquet('{store.file_of('fives', part)}')"
    found = (
        duck.cursor().execute(f"SELECT sort, sum(calls) FROM {fives} GROUP BY sort ORDER BY sort").fetchall()
    )
    assert found == [("", 20), ("api", 20), ("application", 20), ("route", 20)]


def test_codes_have_the_alerts_that_the_index_gives_them(recordings: Path) -> None:
    codes = ["api_key.missing", "quota.no_plan", "quota.exceeded", "payload_guard.attack", "upstream.failed"]
    segment(recordings, [refused(AT + place, code) for place, code in enumerate(codes)])
    take()
    found = (
        duck.cursor().execute(relations.Relations(span()).before("SELECT code, alert FROM events")).fetchall()
    )
    assert dict(found) == {code: alert_of(code) for code in codes}


def test_what_is_not_sealed_yet_is_in_the_answer(recordings: Path) -> None:
    sealed = segment(recordings, [event(AT), refused(AT + 1)])
    sealed.rename(f"{sealed}.part")
    assert (summary().calls, summary().exceptions) == (2, 1)
    sealed.with_name(f"{sealed.name}.part").rename(sealed)
    assert summary().calls == 2
    index.index_new()
    assert summary().calls == 2
    taking.take_new()
    assert summary().calls == 2
    assert tail.look() == []


def test_a_segment_that_is_cut_off_in_the_middle_of_a_line_is_read_so_far(recordings: Path) -> None:
    sealed = segment(recordings, [event(AT + number, path=f"/{number * 7_919}") for number in range(40_000)])
    whole = sealed.read_bytes()
    sealed.unlink()
    part = sealed.with_name(f"{sealed.name}.part")
    for end in (len(whole) // 2, len(whole) // 2 + 1, len(whole) // 2 + 100):
        part.write_bytes(whole[:end])
        # Half a line is no call.
        assert 100 < summary().calls == sum(1 for _ in _engine.Events(part, "{}")) < 40_000


def test_of_a_damaged_segment_what_the_engine_can_read_is_kept(recordings: Path) -> None:
    path = segment(recordings, [event(AT), refused(AT + 1)])
    segment(recordings, [event(AT + 10)], number=2)
    path.write_bytes(b"junk" + path.read_bytes()[4:])
    take()
    assert summary().calls == 1
    assert Taken.objects.get(segment=path.name).problem == "no event of it can be read"


def test_a_line_that_is_no_event_costs_no_other(recordings: Path) -> None:
    odd = event(AT + 1) | {"status": "many"}
    segment(recordings, [event(AT), odd, event(AT + 2)])
    take()
    assert summary().calls == 2


def test_a_segment_that_was_deleted_before_it_was_taken_is_named(recordings: Path) -> None:
    path = segment(recordings, [event(AT)])
    index.index_new()
    path.unlink()
    taking.take_new()
    assert "was deleted before" in Taken.objects.get().problem
    assert waiting().count() == 0


@pytest.mark.parametrize("step", ["begin", "write", "seal", "commit"])
def test_a_death_before_any_step_loses_and_doubles_nothing(
    recordings: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    segment(recordings, [event(AT), refused(AT + 1)])
    index.index_new()
    with monkeypatch.context() as patched:
        patched.setattr(store, step, killed)
        with pytest.raises(Killed):
            taking.take_new()
    assert summary().calls == 2, "it is read from its segment meanwhile"
    take()
    assert summary().calls == 2
    assert Taken.objects.count() == 1


def test_of_two_who_take_a_segment_at_once_one_counts(
    recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = segment(recordings, [event(AT), event(AT + 1)])
    index.index_new()
    one = Segment.objects.get()
    taking.take(one, path)
    taking.take(one, path)
    assert summary().calls == 2
    assert Counter(Part.objects.values_list("state", flat=True)) == {LIVE: 1, RETIRED: 1}
    monkeypatch.setattr(store, "GRACE_SECONDS", -1)
    assert store.sweep() == 1
    assert files() == {Part.objects.get().name}


def test_a_disk_that_is_full_is_tried_again(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    segment(recordings, [event(AT)])
    index.index_new()
    with monkeypatch.context() as patched:
        patched.setattr(store, "seal", full)
        assert taking.take_new() == 1
    assert taking.take_new() == 0
    assert summary().calls == 1


def many(recordings: Path, parts: int = 3) -> None:
    for number in range(parts):
        at = AT + number * 600_000_000
        segment(recordings, [event(at), refused(at + 1), event(at + 2, application="b")], number + 1)
    take()


def test_small_parts_of_a_day_that_is_over_become_one_and_say_the_same(
    recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(recordings)
    before = summary()
    assert before.calls == 9
    taking.merge()
    assert summary() == before
    assert Counter(Part.objects.values_list("state", flat=True)) == {LIVE: 1, RETIRED: 3}
    assert set(Taken.objects.values_list("part__state", flat=True)) == {LIVE}
    monkeypatch.setattr(store, "GRACE_SECONDS", -1)
    store.sweep()
    assert files() == {Part.objects.get().name}
    assert summary() == before


@pytest.mark.parametrize("step", ["begin", "write", "seal", "commit"])
def test_a_death_while_parts_are_merged_loses_and_doubles_nothing(
    recordings: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    many(recordings)
    with monkeypatch.context() as patched:
        patched.setattr(store, step, killed)
        with pytest.raises(Killed):
            taking.merge()
    assert summary().calls == 9
    taking.merge()
    assert summary().calls == 9
    monkeypatch.setattr(store, "GRACE_SECONDS", -1)
    monkeypatch.setattr(store, "ABANDONED_SECONDS", -1)
    store.sweep()
    assert summary().calls == 9
    assert files() == {Part.objects.get().name}


def test_parts_that_were_merged_by_another_are_not_merged_twice(
    recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(recordings)
    stale = list(Part.objects.filter(state=LIVE).order_by("first_at"))
    taking.merge()
    monkeypatch.setattr(taking, "_run", lambda _: stale)
    segment(recordings, [event(AT + 5)], number=9)
    take()
    taking.merge()
    assert summary().calls == 10


def test_parts_beyond_a_size_are_left_alone(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "MOST_EVENTS", 6)
    many(recordings, 4)
    taking.merge()
    taking.merge()
    assert sorted(Part.objects.filter(state=LIVE).values_list("events", flat=True)) == [6, 6]
    assert summary().calls == 12


def test_a_reader_whose_file_was_merged_away_reads_the_new_one(
    recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(recordings)
    real = relations.Relations._stored  # noqa: SLF001 - what a reader does first
    first: list[str] = []

    def late(self: relations.Relations, one: rollups.RollUp) -> str:
        text = real(self, one)
        if not first:
            first.append(text)
            taking.merge()
            monkeypatch.setattr(store, "GRACE_SECONDS", -1)
            store.sweep()
        return text

    monkeypatch.setattr(relations.Relations, "_stored", late)
    assert summary().calls == 9
    assert first, "it was read while it was merged"


def test_partitions_that_are_older_than_what_is_kept_are_dropped_as_a_whole(
    recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(recordings)
    monkeypatch.setattr(store, "GRACE_SECONDS", -1)
    taking.forget_old()
    assert summary().calls == 9
    late = timezone.now() + timedelta(days=index.RETENTION_DAYS + 1)
    monkeypatch.setattr(time, "time", late.timestamp)
    taking.forget_old()
    store.sweep()
    assert files() == set()
    assert not Part.objects.exists()
    assert not list((store.folder() / "events").iterdir())


def test_a_part_of_nobody_who_lives_is_removed_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    part = store.begin(NOON.date())
    store.file_of("events", part).parent.mkdir(parents=True)
    store.file_of("events", part).write_bytes(b"half")
    assert store.sweep() == 0
    assert Part.objects.get().state == WRITING
    monkeypatch.setattr(store, "ABANDONED_SECONDS", -1)
    assert store.sweep() == 1
    assert files() == set()


def test_taking_a_large_segment_needs_no_more_memory_than_is_allowed() -> None:
    found = duck.cursor().execute("SELECT current_setting('memory_limit')").fetchone()
    assert found == ("732.4 MiB",)


def test_nothing_is_ever_fetched_for_duckdb() -> None:
    for setting in ("autoinstall_known_extensions", "autoload_known_extensions"):
        assert duck.cursor().execute(f"SELECT current_setting('{setting}')").fetchone() == (False,)


@pytest.mark.parametrize(
    ("latencies", "q", "low", "high"),
    [
        ([500] * 10, 0.5, 0, 1),
        ([15_000] * 99 + [400_000], 0.5, 10, 20),
        ([15_000] * 90 + [400_000] * 10, 0.95, 250, 500),
        ([60_000_000], 0.99, 10_000, 20_000),
    ],
)
def test_percentiles_lie_in_the_range_that_was_counted(
    recordings: Path, latencies: list[int], q: float, low: float, high: float
) -> None:
    segment(recordings, [event(AT + place, latency_us=us) for place, us in enumerate(latencies)])
    take()
    text = f"SELECT quantile_ms({tables.HISTOGRAM}, {q}) FROM calls"
    row = duck.cursor().execute(relations.Relations(span()).before(text)).fetchone()
    assert row is not None
    assert low <= row[0] <= high


def test_files_that_cannot_be_read_are_an_error_and_no_empty_answer(recordings: Path) -> None:
    many(recordings)
    for path in store.folder().rglob("*.parquet"):
        path.write_bytes(b"junk")
    with pytest.raises(duckdb.Error):
        summary()


def test_segments_of_several_nodes_are_taken_each_once_though_they_are_called_the_same(
    recordings: Path, settings: Settings
) -> None:
    segment(recordings, [event(AT), refused(AT + 1)])
    for node in ("paris-1", "paris-2"):
        segment(settings.LOCKGATE.state / "recordings" / node, [event(AT), refused(AT + 2), event(AT + 3)])

    def by_node() -> dict[str, tuple[int, int]]:
        rows = TrafficByNode(span=span()).run()
        return {row.node: (row.calls, row.refused) for row in rows}

    expected = {"first": (2, 1), "paris-1": (3, 1), "paris-2": (3, 1)}
    assert (summary().calls, by_node()) == (8, expected), "nothing is in Parquet yet"
    take()
    take()
    assert (summary().calls, by_node()) == (8, expected)
    assert sorted(Taken.objects.values_list("node", flat=True)) == ["", "paris-1", "paris-2"]
    (only,) = TrafficByNode(span=span(), node="paris-1").run()
    assert (only.node, only.calls) == ("paris-1", 3)
    shares = {row.node: row.share for row in ExceptionsByNode(span=span()).run()}
    assert shares == pytest.approx(dict.fromkeys(expected, 1 / 3))
    taking.merge()
    assert (summary().calls, by_node()) == (8, expected)


def test_a_segment_of_another_node_that_is_gone_is_named_with_its_node(
    recordings: Path, settings: Settings
) -> None:
    assert not recordings.exists()
    path = segment(settings.LOCKGATE.state / "recordings" / "paris-1", [event(AT)])
    index.index_new()
    path.unlink()
    taking.take_new()
    (gap,) = [one["why"] for one in gaps(span(), tail.seen(), 0, None) if "paris-1" in one["why"]]
    assert gap == f"paris-1/{path.name}: its segment was deleted before it was taken into Parquet"
