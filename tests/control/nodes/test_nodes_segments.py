"""What nodes pushed: how much of it is kept, and of which nodes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from lockgate.changes.recordings import OLDER
from lockgate.cluster.wire import KEY, MOST_BEGINNING_BYTES, PART
from lockgate.control.nodes import segments
from lockgate.control.nodes.endpoint import pieces_every
from lockgate.control.nodes.segments import Incoming, append, folder_of, nodes_that_pushed

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.fixtures import Settings

DAY = 86_400
BEGINNING = "begin-000000.state"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"state": tmp_path})
    monkeypatch.setattr(segments, "_taken", {})
    return tmp_path


def name(number: int, days: float = 0.0) -> str:
    begins = int((time.time() - days * DAY) * 1_000_000)
    return f"events-{begins:016}-{number:06}.ndjson.zst"


def name_of(number: int) -> str:
    return next(path.name for path in folder_of("paris-1").glob(f"events-*-{number:06}.*"))


def push(what: str, content: bytes = b"x" * 10, node: str = "paris-1") -> None:
    coming = Incoming(node, what)
    coming.add(content)
    coming.keep()


def numbers(node: str = "paris-1") -> list[int]:
    names = (path.name for path in folder_of(node).iterdir() if segments.is_name(path.name))
    return sorted(int(one.split("-")[2].partition(".")[0]) for one in names)


@pytest.mark.parametrize("bound", [("MOST_SEGMENTS", 3), ("KEEP_BYTES", 35)])
def test_the_oldest_segments_of_a_node_go_when_there_are_too_many_and_those_of_no_other(
    monkeypatch: pytest.MonkeyPatch, bound: tuple[str, int]
) -> None:
    monkeypatch.setattr(segments, *bound)
    push(KEY, b"k" * 32)
    push(name(1), node="paris-2")
    for number in range(1, 8):
        push(name(number))
    assert numbers() == [5, 6, 7]
    assert numbers("paris-2") == [1]
    assert (folder_of("paris-1") / KEY).read_bytes() == b"k" * 32


def test_the_newest_segment_stays_however_large_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "KEEP_BYTES", 5)
    push(name(1))
    push(name(2))
    assert numbers() == [2]


def test_segments_of_a_time_of_which_nothing_is_known_any_more_are_deleted() -> None:
    push(KEY, b"k" * 32)
    push(name(1, days=segments.KEEP_DAYS + 1))
    push(name(2, days=segments.KEEP_DAYS - 1))
    push(name(1, days=segments.KEEP_DAYS + 1), node="paris-2")
    segments.forget_old()
    assert (numbers(), numbers("paris-2")) == ([2], [])
    assert (folder_of("paris-1") / KEY).exists()


def test_a_key_takes_the_place_of_the_one_before_and_a_segment_does_not() -> None:
    push(KEY, b"a" * 32)
    assert not segments.is_there("paris-1", KEY)
    push(KEY, b"b" * 32)
    assert (folder_of("paris-1") / KEY).read_bytes() == b"b" * 32
    push(name(1))
    assert segments.is_there("paris-1", next(path.name for path in folder_of("paris-1").glob("*.zst")))
    assert (segments.most_bytes(KEY), segments.most_bytes(name(1))) == (32, segments.MOST_BYTES)


def test_segments_from_before_another_key_are_told_from_those_after_it() -> None:
    push(KEY, b"a" * 32)
    push(BEGINNING)
    push(name(1, days=2))
    push(KEY, b"a" * 32)
    assert not (folder_of("paris-1") / OLDER).exists()
    # The machine was made anew under its name.
    push(KEY, b"b" * 32)
    assert (folder_of("paris-1") / OLDER).read_text() == name_of(1)
    assert not (folder_of("paris-1") / BEGINNING).exists()
    push(BEGINNING)
    push(name(0, days=1))
    assert numbers() == [0, 1]
    assert (folder_of("paris-1") / BEGINNING).exists()


def test_what_was_used_before_segments_goes_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "MOST_SEGMENTS", 2)
    for begins in (0, 2, 4):
        push(f"begin-{begins:06}.state")
        push(name(begins + 1, days=1))
    assert sorted(path.name for path in folder_of("paris-1").glob("begin-*")) == [
        "begin-000002.state",
        "begin-000004.state",
    ]
    assert segments.is_kept("begin-000004.state")
    assert not segments.is_there("paris-1", "begin-000004.state")
    assert not segments.is_kept("begin-../../x.state")


def test_pieces_of_an_open_segment_are_taken_in_their_order_and_the_whole_takes_their_place() -> None:
    part = f"{name(1)}{PART}"
    assert append("paris-1", part, 0, b"one") == 3
    # An answer was lost, or the node was started anew: it goes on from what is here.
    assert append("paris-1", part, 0, b"one") == 3
    assert append("paris-1", part, 9, b"four") == 3
    assert append("paris-1", part, 3, b"") == 3
    assert append("paris-1", part, 3, b"two") == 6
    assert (folder_of("paris-1") / part).read_bytes() == b"onetwo"
    push(part.removesuffix(PART), b"onetwothree")
    assert append("paris-1", part, 6, b"three") == 11
    assert [path.read_bytes() for path in folder_of("paris-1").iterdir()] == [b"onetwothree"]


def test_what_is_here_of_a_segment_that_never_comes_whole_stays_as_it_is() -> None:
    push(KEY, b"a" * 32)
    for number in (1, 2):
        append("paris-1", f"{name(number)}{PART}", 0, b"x")
    assert numbers() == [1]
    # A machine that is made anew under the name: the open segment of the old one is of the old key.
    push(KEY, b"b" * 32)
    assert numbers() == [1, 2]
    assert (folder_of("paris-1") / OLDER).read_text() == name_of(2)


def test_open_segments_of_a_time_of_which_nothing_is_known_any_more_are_deleted() -> None:
    append("paris-1", f"{name(1, days=segments.KEEP_DAYS + 1)}{PART}", 0, b"x")
    segments.forget_old()
    assert not list(folder_of("paris-1").iterdir())


def test_what_never_comes_whole_makes_room_like_all_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "MOST_SEGMENTS", 3)
    for number in range(1, 9):
        append("paris-1", f"{name(number)}{PART}", 0, b"x")
    assert numbers() == [5, 6, 7]
    monkeypatch.setattr(segments, "MOST_BEGINNINGS", 2)
    for number in range(10, 15):
        push(f"begin-{number:06}.state")
    assert len(list(folder_of("paris-1").glob("begin-*"))) == 2
    assert segments.most_bytes("begin-000001.state") == MOST_BEGINNING_BYTES


def test_pieces_come_less_often_the_more_nodes_there_are() -> None:
    assert [pieces_every(nodes) for nodes in (0, 1, 100, 1_000)] == [2.0, 2.0, 2.0, 20.0]


def test_files_beside_the_folders_of_nodes_are_no_nodes(state: Path) -> None:
    assert nodes_that_pushed() == []
    push(name(1))
    (state / "recordings" / "events-1.ndjson.zst").write_bytes(b"x")
    (state / "recordings" / ".hidden").mkdir()
    assert nodes_that_pushed() == ["paris-1"]
