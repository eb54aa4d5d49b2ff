"""A segment as a whole says the same as its lines, and whatever is odd is left to the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from control.analytics.recorded import OTHER, REVISION, event, hour_of_yesterday, micros, refused, segment
from lockgate.control.audit.models import Entry
from lockgate.control.events import index, segments
from lockgate.control.events.index import Rolled
from lockgate.control.events.models import CallException, Count, Segment

if TYPE_CHECKING:
    from pathlib import Path

AT = micros(hour_of_yesterday())
GUARD = {"id": "own", "kind": "payload_guard", "scope": "gateway"}
EVENTS = [
    event(AT),
    event(AT + 400_000_000, api="a" * 200, revision=OTHER),
    refused(AT + 1, path="/" + "p" * 600, api=None, route=None),
    refused(AT + 2, "rate_limit.exceeded", 429, application="shop", node="n\x00m"),
    event(AT + 3, code="upstream.failed", status=502),
    refused(
        AT + 4,
        "payload_guard.rule",
        403,
        verdicts=[
            {**GUARD, "word": "deny", "code": "payload_guard.rule", "found_by": "new", "shadow": True},
            {**GUARD, "word": "deny", "code": "payload_guard.rule", "found_by": "cve-2026-1234"},
        ],
    ),
    event(AT - 5, revision=OTHER, client=None),
]


def said(rolled: Rolled) -> dict[str, Any]:
    """All that a segment says, as values that can be compared."""
    fields = [one for one in segments.EXCEPTION if one != "id"]
    kept = [[getattr(one, name) for name in fields] for one in rolled.exceptions]
    return {**vars(rolled), "exceptions": kept}


def test_what_is_read_at_once_is_what_the_lines_say(
    recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = segment(recordings, EVENTS)
    found = index._whole(path, "")  # noqa: SLF001 - beside the other way
    lines = Rolled()
    assert index._roll(path, lines) == []  # noqa: SLF001 - the other way
    assert found is not None
    assert said(found) == said(lines)
    assert [one.rule for one in found.exceptions if one.rule] == ["cve-2026-1234"]
    monkeypatch.setattr(index, "MOST_OF_SEGMENT", 2)
    found = index._whole(path, "")  # noqa: SLF001 - with a bound
    assert found is not None
    assert (len(found.exceptions), found.unkept) == (2, 2)


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.95])
def test_what_is_cut_off_is_left_to_the_engine(recordings: Path, kept: float) -> None:
    path = segment(recordings, [event(AT + number, path=f"/{number * 7_919}") for number in range(2_000)])
    whole = path.read_bytes()
    assert segments.whole(path, 10) is not None
    path.write_bytes(whole[: round(kept * len(whole))])
    assert segments.whole(path, 10) is None
    index.index_new()
    (found,) = Segment.objects.all()
    assert not found.is_whole
    assert "the end of a sealed segment is missing: its writer died, or the disk lost it" in found.damages


def test_whatever_the_engine_calls_damaged_is_left_to_it(recordings: Path) -> None:
    path = segment(recordings, [event(AT + number, path=f"/{number * 7_919}") for number in range(500)])
    whole = path.read_bytes()
    damaged = 0
    for place in range(0, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        lines = Rolled()
        if index._roll(path, lines):  # noqa: SLF001 - the other way
            damaged += 1
            assert segments.whole(path, 10) is None, place
        elif found := index._whole(path, ""):  # noqa: SLF001 - beside it
            assert found.events == lines.events, place
    assert damaged


def test_a_line_that_is_no_event_is_left_to_the_engine(recordings: Path) -> None:
    path = segment(recordings, [event(AT), event(AT + 1) | {"status": "many"}, event(AT + 2)])
    assert segments.whole(path, 10) is None
    index.index_new()
    assert Segment.objects.get().events == 2


def test_counts_of_segments_are_added_to_each_other(recordings: Path) -> None:
    segment(recordings, EVENTS)
    index.index_new()
    segment(recordings, [event(AT + 10), event(AT + 11), refused(AT + 12)], number=2)
    index.index_new()
    assert sum(Count.objects.values_list("count", flat=True)) == 10
    mine = Count.objects.get(bucket=AT // 1_000_000, api="orders", application="shop", code="")
    assert mine.count == 3
    assert CallException.objects.count() == 5


def told() -> list[str | None]:
    """The revisions of which the audit log tells, in their order."""
    return list(
        Entry.objects.filter(action="revision.served").order_by("seq").values_list("after", flat=True)
    )


def test_revisions_that_take_turns_are_told_once_each_however_many_segments_they_do(recordings: Path) -> None:
    for number in range(4):
        turns = [
            event(AT + number * 10_000_000 + call, revision=OTHER if call % 2 else REVISION)
            for call in range(21)
        ]
        segment(recordings, turns, number=number + 1)
        index.index_new()
    assert told() == [REVISION, OTHER]


def test_a_revision_that_nobody_meets_any_more_is_told_to_have_given_way(recordings: Path) -> None:
    turns = [event(AT + call, revision=OTHER if call % 2 else REVISION) for call in range(21)]
    segment(recordings, turns)
    index.index_new()
    for number, minutes in enumerate((5, 11, 12), start=2):
        segment(recordings, [event(AT + minutes * 60_000_000)], number=number)
        index.index_new()
    assert told() == [REVISION, OTHER, REVISION]
    last = Entry.objects.filter(action="revision.served").order_by("seq").last()
    assert last is not None
    assert last.before == OTHER
    assert (last.why or "").startswith(f"no call has met revision {OTHER[:12]} since ")


def test_a_revision_that_comes_back_after_it_was_gone_is_told_again(recordings: Path) -> None:
    for number, (minutes, revision) in enumerate(((0, REVISION), (1, OTHER), (20, OTHER), (21, REVISION))):
        segment(recordings, [event(AT + minutes * 60_000_000, revision=revision)], number=number + 1)
        index.index_new()
    assert told() == [REVISION, OTHER, REVISION]


def test_calls_that_a_policy_answers_are_no_exceptions(recordings: Path) -> None:
    answered = {"decision": "respond", "tries": 0}
    segment(
        recordings,
        [
            event(AT, **answered, code="redirect.moved", status=308),
            event(AT + 1, **answered, code="cors.preflight", status=204),
            refused(AT + 2),
        ],
    )
    assert [one.code for one in index.open_segments().exceptions] == ["api_key.missing"]
    index.index_new()
    assert [one.code for one in CallException.objects.all()] == ["api_key.missing"]
    assert dict(Count.objects.values_list("code", "count")) == {"": 2, "api_key.missing": 1}
