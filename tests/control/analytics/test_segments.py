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


def test_revisions_that_take_turns_are_told_once_each_and_the_last_one_stays(recordings: Path) -> None:
    turns = [event(AT + number, revision=OTHER if number % 2 else REVISION) for number in range(101)]
    segment(recordings, turns)
    index.index_new()
    told = Entry.objects.filter(action="revision.served").order_by("seq")
    assert [one.after for one in told] == [REVISION, OTHER, REVISION]
