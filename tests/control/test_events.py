"""Reading recordings: counts, exceptions, the alert of each, and what is not known."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import zstandard
from django.db.models import Sum
from lockgate import _engine
from lockgate.control.audit.models import Entry
from lockgate.control.events import index
from lockgate.control.events.alerts import ALERTS, alert_of
from lockgate.control.events.completeness import gaps
from lockgate.control.events.exceptions import Wanted, page
from lockgate.control.events.index import Rolled, index_new, open_segments
from lockgate.control.events.lateness import behind, in_words, worth_saying
from lockgate.control.events.models import CallException, Count, Progress, Segment
from lockgate.control.events.recordings import SegmentName
from lockgate.control.events.times import Span, TimeError, between, last, read
from lockgate.control.nodes.models import Node
from lockgate.control.paging import CursorError, cursor, read_cursor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from control.people import Traffic
    from pytest_django.fixtures import Settings

NOW = datetime(2026, 11, 25, 12, 2, tzinfo=UTC)
EXPECTED = {"": 2, "rate_limit.exceeded": 1, "api_key.missing": 2, "route.not_found": 1}


def span() -> Span:
    return last("last_24_hours", datetime.now(UTC))


def counts() -> dict[str, int]:
    return dict(Count.objects.order_by().values_list("code").annotate(Sum("count")))


def test_a_segment_is_counted_once(traffic: Traffic) -> None:
    traffic()
    assert index_new() == 0
    index_new()
    assert counts() == EXPECTED
    assert sum(Segment.objects.values_list("events", flat=True)) == 6
    assert set(Count.objects.exclude(code="route.not_found").values_list("api", flat=True)) == {"orders"}


def test_of_two_who_read_a_segment_at_once_one_counts_it(
    traffic: Traffic, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic()
    seen_by_both = [SegmentName(path.name) for path in recordings.glob("*.zst")]
    monkeypatch.setattr(index, "_waiting", lambda: seen_by_both)
    index_new()
    index_new()
    assert counts() == EXPECTED


def test_each_exception_is_kept_with_its_alert(traffic: Traffic) -> None:
    traffic()
    index_new()
    found = Counter(CallException.objects.values_list("alert", "code"))
    assert found == {
        ("unauthorized_access", "api_key.missing"): 2,
        ("rate_limit_exceeded", "rate_limit.exceeded"): 1,
        ("", "route.not_found"): 1,
    }
    one = CallException.objects.get(code="rate_limit.exceeded")
    assert (one.application, one.source, one.method, one.path, one.status) == (
        "shop",
        "127.0.0.1",
        "GET",
        "/orders/1",
        429,
    )


def test_a_segment_that_is_being_written_is_seen_and_not_kept(traffic: Traffic, recordings: Path) -> None:
    traffic()
    (sealed,) = recordings.glob("*.zst")
    sealed.rename(f"{sealed}.part")
    assert open_segments().events == 6
    index_new()
    assert not Count.objects.exists()


def test_a_sealed_segment_that_nobody_read_yet_is_seen_too(traffic: Traffic) -> None:
    traffic()
    assert open_segments().events == 6
    index_new()
    assert open_segments().events == 0


def test_a_new_revision_is_a_change_of_policy_in_the_audit_log(traffic: Traffic) -> None:
    traffic()
    index_new()
    (entry,) = Entry.objects.filter(action="revision.served")
    assert (entry.who, entry.before, entry.after) == ("node", None, Progress.objects.get(pk=1).revision)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda whole: whole[:-40], "the end of a sealed segment is missing"),
        (lambda _: zstandard.compress(b""), "no event of segment"),
        (lambda whole: b"junk" + whole[4:], "is damaged after line 0"),
    ],
)
def test_a_damaged_segment_is_named(
    traffic: Traffic, recordings: Path, damage: Callable[[bytes], bytes], why: str
) -> None:
    traffic()
    (sealed,) = recordings.glob("*.zst")
    whole = sealed.read_bytes()
    sealed.write_bytes(bytes(damage(whole)))
    index_new()
    found = gaps(span(), Rolled(), 0, None)
    assert [gap for gap in found if why in gap["why"]]


def test_files_of_others_are_not_looked_at(recordings: Path) -> None:
    recordings.mkdir(parents=True)
    for name in ("events-1.ndjson.zst", "begin-000000.state", "events-..-000001.ndjson.zst"):
        (recordings / name).write_text("junk")
    assert index_new() == 0
    assert not Segment.objects.exists()


def test_segments_that_were_deleted_before_they_were_read_are_a_gap(
    traffic: Traffic, recordings: Path
) -> None:
    traffic()
    index_new()
    (sealed,) = recordings.glob("*.zst")
    later = sealed.name.replace("-000001.", "-000004.")
    sealed.rename(sealed.with_name(later))
    index_new()
    whys = [gap["why"] for gap in gaps(span(), Rolled(), 0, None)]
    assert "2 segments were deleted before they were read" in whys


def test_exceptions_of_a_segment_beyond_a_bound_are_counted_and_named(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "MOST_OF_SEGMENT", 1)
    traffic()
    assert open_segments().is_cut
    index_new()
    assert counts() == EXPECTED
    assert CallException.objects.count() == 1
    whys = [gap["why"] for gap in gaps(span(), Rolled(), 0, None)]
    assert "3 exceptions are counted here, and not kept one by one" in whys


@pytest.mark.usefixtures("recordings")
@pytest.mark.parametrize(
    ("stats", "why"),
    [
        ({"recording": {"events": {"dropped": 3, "failed": 1}}}, "the disk did not take 4 events"),
        ({"recording": {"events": {}, "problem": "disk full"}}, "the node cannot record: disk full"),
    ],
)
def test_what_the_node_lost_is_a_gap(stats: dict[str, object], why: str) -> None:
    assert [gap for gap in gaps(span(), Rolled(), 0, stats) if why in gap["why"]]


def test_without_a_recording_everything_is_a_gap() -> None:
    (gap,) = gaps(span(), Rolled(), 0, None)
    assert "the document records nothing" in gap["why"]


def test_exceptions_beyond_what_is_kept_are_deleted_and_named(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "MOST_EXCEPTIONS", 2)
    traffic()
    index_new()
    assert CallException.objects.count() == 2
    assert counts() == EXPECTED
    whys = [gap["why"] for gap in gaps(span(), Rolled(), 0, None)]
    assert [why for why in whys if "exceptions of this time were deleted" in why]


def test_every_refusal_of_a_caller_by_a_policy_has_an_alert() -> None:
    """Of those that are about who calls, how often, or with what; a new kind must be looked at here."""
    catalogue = json.loads(_engine.policy_catalogue())
    left_out = {
        "cors",
        "completion_guard",
        "deprecation",
        "redirect",
        "rewrite",
        "schema",
        "size",
        "aggregate",
    }
    for kind in catalogue["kinds"]:
        for reason in kind["reasons"]:
            if reason["status"] in {401, 403, 429} and kind["kind"] not in left_out:
                assert alert_of(reason["code"]), reason["code"]
    known = {kind["kind"] for kind in catalogue["kinds"]} | {"payload"}
    for alert in ALERTS:
        assert alert.kinds <= known
    assert alert_of("quota.no_plan") == "unauthorized_access"
    assert alert_of("quota.exceeded") == "rate_limit_exceeded"
    assert alert_of("payload_guard.attack") == "malicious_payload"
    assert alert_of("upstream.failed") == ""


def test_pages_of_exceptions_lead_on_without_losing_or_repeating_any(traffic: Traffic) -> None:
    traffic()
    fresh = open_segments().exceptions
    for stored in (False, True):
        if stored:
            index_new()
            fresh = []
        seen: list[str] = []
        before = None
        while True:
            found, following = page(Wanted(), before, 3, fresh)
            seen += [one.request for one in found]
            if following is None:
                break
            before = read_cursor(following)
        assert len(seen) == len(set(seen)) == 4
    found, _ = page(Wanted(code="api_key.missing", source="127.0.0.1"), None, 10)
    assert len(found) == 2


@pytest.mark.parametrize("text", ["", "x", "bnVsbA", "W10", "WzEsMiwzXQ", "\udc80", "é"])
def test_a_cursor_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(CursorError, match="is not a cursor"):
        read_cursor(text)


def test_a_cursor_says_a_place() -> None:
    assert read_cursor(cursor((4_711, "abc"))) == (4_711, "abc")


def test_spans_are_whole_five_minutes() -> None:
    found = last("last_24_hours", NOW)
    assert found.texts == ("2026-11-24T12:00:00Z", "2026-11-25T12:05:00Z")
    exact = between(NOW.replace(minute=0), NOW.replace(minute=5))
    assert exact.texts == ("2026-11-25T12:00:00Z", "2026-11-25T12:05:00Z")


@pytest.mark.parametrize(
    ("days", "step"), [(0.1, 300), (1, 300), (7, 3_600), (30, 21_600), (90, 86_400), (400, 86_400)]
)
def test_a_series_has_at_most_a_few_hundred_points(days: float, step: int) -> None:
    found = between(NOW - timedelta(days=days), NOW)
    assert found.step == step
    assert (found.end - found.start) / found.step < 500


def test_a_span_that_ends_now_has_what_happened_a_moment_ago() -> None:
    """Also in the first second of five minutes, whose fraction was once taken away."""
    now = datetime(2026, 11, 1, 10, 40, 0, 250_000, tzinfo=UTC)
    assert last("last_24_hours", now).texts[1] == "2026-11-01T10:45:00Z"
    assert between(now - timedelta(hours=1), now).texts[1] == "2026-11-01T10:45:00Z"


def test_spans_that_cannot_be_meant_are_refused() -> None:
    for act, message in (
        (lambda: last("last_year", NOW), "`last_year` is not a time range; there are last_24_hours"),
        (lambda: between(NOW, NOW), "`from` must be before `to`"),
        (lambda: between(NOW - timedelta(days=401), NOW), "the range has 401 days; ask for at most 400"),
        (lambda: read("yesterday"), "`yesterday` is not a time"),
        (lambda: read("2026-11-01T08:00:00"), "does not say in which time zone"),
    ):
        with pytest.raises(TimeError, match=message):
            act()


def pushed(state: Path, node: str = "paris-1") -> Path:
    """The folder of what a node pushed."""
    folder = state / "recordings" / node
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def state(tmp_path: Path, settings: Settings, recordings: Path) -> Path:
    folder = tmp_path / "control"
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"state": folder, "recording": recordings})
    return folder


def test_segments_of_all_nodes_are_counted_each_once_also_those_of_one_name(
    traffic: Traffic, recordings: Path, state: Path
) -> None:
    traffic()
    (sealed,) = recordings.glob("*.zst")
    for node in ("paris-1", "paris-2"):
        (pushed(state, node) / sealed.name).write_bytes(sealed.read_bytes())
    assert open_segments().events == 18
    assert {one.node for one in open_segments().exceptions} == {"", "paris-1", "paris-2"}
    index_new()
    index_new()
    assert counts() == {code: 3 * count for code, count in EXPECTED.items()}
    assert open_segments().events == 0
    assert sorted(Segment.objects.values_list("node", flat=True)) == ["", "paris-1", "paris-2"]
    assert [one.node for one in page(Wanted(node="paris-2"), None, 50)[0]] == ["paris-2"] * 4
    assert [one.node for one in page(Wanted(node="first"), None, 50)[0]] == [""] * 4
    # Each met the revision at its own time.
    said = Entry.objects.filter(action="revision.served").values_list("who", "object")
    assert sorted(said) == [
        ("node", "gateway"),
        ("node paris-1", "node paris-1"),
        ("node paris-2", "node paris-2"),
    ]


def test_each_node_numbers_its_segments_for_itself_and_a_gap_says_whose_it_is(
    traffic: Traffic, recordings: Path, state: Path
) -> None:
    traffic()
    (sealed,) = recordings.glob("*.zst")
    folder = pushed(state)

    def push(number: int, seconds: int) -> None:
        begins = int(sealed.name.split("-")[1]) + seconds * 1_000_000
        (folder / f"events-{begins:016}-{number:06}.ndjson.zst").write_bytes(sealed.read_bytes())
        index_new()

    push(5, 0)
    push(8, 2)
    assert [gap["why"] for gap in gaps(span(), Rolled(), 0, None) if "deleted" in gap["why"]] == [
        "2 segments of paris-1 were deleted before they were read"
    ]
    # One of them comes after all, and then the other.
    push(7, 1)
    assert [one.missing for one in Segment.objects.filter(node="paris-1").order_by("number")] == [0, 1, 0]
    push(6, 1)
    assert [one.missing for one in Segment.objects.filter(node="paris-1").order_by("number")] == [0, 0, 0, 0]
    assert all(Segment.objects.filter(node="paris-1").values_list("is_whole", flat=True))


SAID = {"since": None, "segments": 0, "every_seconds": 10.0, "lost": 0, "problem": ""}


@pytest.mark.parametrize(
    ("said", "heard", "why"),
    [
        ({}, 5, ""),
        (
            {"since": -20, "segments": 1},
            5,
            "is still recording; its calls since ",
        ),
        ({"since": -300, "segments": 3}, 5, "is late: it has not pushed 3 segments"),
        ({}, 600, "was last heard of at"),
        ({"lost": 7}, 5, "the disk of paris-1 did not take 7 events"),
        ({"problem": "no space"}, 5, "paris-1 cannot record: no space"),
    ],
)
def test_a_node_of_which_not_everything_is_here_is_named_and_why(
    state: Path,  # noqa: ARG001
    said: dict[str, int | str],
    heard: int,
    why: str,
) -> None:
    now = datetime.now(UTC)
    recorded = SAID | said
    if since := said.get("since"):
        recorded["since"] = int((now.timestamp() + int(since)) * 1_000_000)
    Node.objects.create(name="paris-1", seen_at=now - timedelta(seconds=heard), recorded=recorded)
    found = [gap["why"] for gap in gaps(span(), Rolled(), 0, None) if "paris-1" in gap["why"]]
    assert [why in one for one in found] == ([True] if why else [])
    # Of a time that is over long ago, all is here.
    before = between(now - timedelta(days=3), now - timedelta(days=2))
    assert not [gap for gap in gaps(before, Rolled(), 0, None) if "heard" in gap["why"]]


def test_what_comes_within_seconds_is_said_to_programs_and_not_on_pages(state: Path) -> None:
    assert state.name
    now = datetime.now(UTC)
    micros = int(now.timestamp() * 1_000_000)
    for name, seconds in (("paris-1", 5), ("paris-2", 20)):
        recorded = SAID | {"since": micros - seconds * 1_000_000, "segments": 1}
        Node.objects.create(name=name, seen_at=now, recorded=recorded, key_id=name)
    assert [(one.node, one.is_late) for one in behind(now)] == [("paris-1", False), ("paris-2", False)]
    assert [one.node for one in worth_saying(now)] == ["paris-2"]
    told = [str(gaps(span(), Rolled(), 0, None, is_for_people=is_page)) for is_page in (False, True)]
    assert [("paris-1" in one, "paris-2" in one) for one in told] == [(True, True), (False, True)]
    # Whoever is gone is named from its first second on.
    Node.objects.filter(name="paris-1").update(seen_at=now - timedelta(seconds=600))
    assert [one.node for one in worth_saying(now)] == ["paris-1", "paris-2"]


def test_a_node_that_was_removed_is_named_for_what_it_had_not_pushed_until_then() -> None:
    now = datetime.now(UTC)
    recorded = SAID | {"since": int((now.timestamp() - 60) * 1_000_000)}
    gone = {"seen_at": now, "removed_at": now, "key_id": "1"}
    Node.objects.create(name="paris-1 (removed 1)", recorded=recorded, **gone)
    Node.objects.create(name="paris-2 (removed 2)", recorded=SAID, **gone)
    (found,) = behind(now)
    assert "paris-1 (removed 1) was removed, and had not pushed" in found.why
    assert in_words([found]).startswith("Not here yet: calls at paris-1 (removed 1) since ")
    assert behind(now + timedelta(days=1), since=int(now.timestamp() * 1_000_000) + 1_000_000) == []


def test_a_node_that_serves_and_does_not_record_is_named() -> None:
    now = datetime.now(UTC)
    Node.objects.create(name="new", seen_at=now)
    Node.objects.create(name="paris-1", seen_at=now, revision="a" * 64)
    (found,) = behind(now)
    assert found.why.startswith("paris-1 records nothing, or does not say so")


def test_what_a_node_has_pushed_since_it_said_that_it_had_not_is_no_gap(state: Path) -> None:
    assert state.name
    now = datetime.now(UTC)
    micros = int(now.timestamp()) * 1_000_000
    recorded = SAID | {"since": micros - 300_000_000, "segments": 30}
    Node.objects.create(name="paris-1", seen_at=now, recorded=recorded)
    assert behind(now)[0].is_late
    at = {"first_at": micros - 30_000_000, "last_at": micros - 20_000_000}
    for node in ("paris-1", "paris-2"):
        Segment.objects.create(
            node=node, name="events-1", number=1, events=1, damages=[], is_whole=True, **at
        )
    (found,) = behind(now)
    assert (found.since, found.is_late) == (at["last_at"], False)
