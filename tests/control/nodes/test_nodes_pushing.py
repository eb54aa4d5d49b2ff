"""What a node pushes of its recording: each byte of an open segment once, as seldom as it is asked for."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from lockgate.cluster import pushing, recorded
from lockgate.cluster.asking import Wait
from lockgate.cluster.backoff import Backoff
from lockgate.cluster.identity import Answer, Identity, Request
from lockgate.cluster.pushing import Pushing
from lockgate.cluster.recorded import QUIET_SECONDS, OwnRecording
from lockgate.cluster.signatures import sign_answer
from lockgate.cluster.wire import MOST_BEGINNING_BYTES, MOST_PIECE_BYTES, SEGMENTS, Taken

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

KEY = Ed25519PrivateKey.generate()
FIRST = "events-0000000000000100-000001.ndjson.zst"
SECOND = "events-0000000000000200-000002.ndjson.zst"
NOW = 1_000.0
"""In seconds, by both clocks."""


class Talk:
    """What a node was told last."""

    pushes = True
    is_answered = True


class Scene:
    """A node that records, and a control plane that takes what it is given."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder / "recordings"
        self.folder.mkdir()
        (folder / "cluster").mkdir()
        self.now = NOW
        clock = SimpleNamespace(
            time=lambda: self.now, monotonic=lambda: self.now, time_ns=lambda: int(self.now * 1_000_000_000)
        )
        for module in (pushing, recorded):
            monkeypatch.setattr(module, "time", clock)
        said = {"recording": {"directory": "recordings"}}
        monkeypatch.setattr("lockgate.kept.document", lambda *_: said)
        self.recording = OwnRecording(folder, lambda: 1)
        self.talk, self.said = Talk(), list[str]()
        self.here: dict[str, int] = {}
        self.asked: list[tuple[str, bytes]] = []
        identity = Identity("n", "http://127.0.0.1:1", KEY, KEY.public_key(), "")
        push = Pushing(
            identity,
            self.recording,
            cast("Any", self.talk),
            self.said.append,
            backoff=Backoff(random=random.Random(1)),
        )
        self._going: Generator[Request | Wait, Answer | None, None] = push.go_on()
        self._step = next(self._going)

    def write(self, name: str, content: bytes) -> None:
        with (self.folder / name).open("ab") as file:
            file.write(content)

    def round(self, status: int = 200, every: float = 2.0) -> list[str]:
        """Let it go until it waits; gives what it asked, without the common part."""
        before = len(self.asked)
        while True:
            answer = self._answered(self._step, status, every) if isinstance(self._step, Request) else None
            self._step = self._going.send(answer)
            if isinstance(self._step, Wait):
                return [target.removeprefix(SEGMENTS) for target, _ in self.asked[before:]]

    def _answered(self, request: Request, status: int, every: float) -> Answer:
        body = request.body if isinstance(request.body, bytes) else request.body.read_bytes()
        self.asked.append((request.target, body))
        name, _, query = request.target.removeprefix(SEGMENTS).partition("?")
        begins = int(query.partition("from=")[2] or 0)
        if self.here.get(name, 0) == begins and status == 200:
            self.here[name] = begins + len(body)
        said = Taken(bytes=self.here.get(name, 0), every_seconds=every).model_dump_json().encode()
        return Answer(status, {"lockgate-answer": sign_answer(KEY, status, request.nonce, said)}, said)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(tmp_path, monkeypatch)


def until(seconds: float) -> int:
    return int((seconds - recorded.WRITTEN_SECONDS) * 1_000_000)


def test_each_byte_of_an_open_segment_is_sent_once_and_the_whole_when_it_is_sealed(scene: Scene) -> None:
    part = f"{FIRST}.part"
    scene.write(part, b"one")
    (scene.folder / "redaction.key").write_bytes(b"k" * 32)
    assert scene.round() == ["redaction.key?since=100", f"{part}?since={until(NOW)}&from=0"]
    # Not more often than it is asked for, however much comes.
    scene.write(part, b"two")
    assert scene.round(every=20.0) == []
    scene.now += 3.0
    assert scene.round(every=20.0) == [f"{part}?since={until(NOW + 3)}&from=3"]
    scene.now += 3.0
    scene.write(part, b"three")
    assert scene.round() == []
    (scene.folder / part).rename(scene.folder / FIRST)
    assert scene.recording.since() == until(NOW + 3)
    assert scene.round() == [f"{FIRST}?since=0"]
    assert [body for _, body in scene.asked[1:]] == [b"one", b"two", b"onetwothree"]
    assert scene.recording.since() is None
    scene.now += 100.0
    assert scene.round() == []


def test_of_an_open_segment_to_which_nothing_comes_that_is_said_now_and_then(scene: Scene) -> None:
    part = f"{FIRST}.part"
    scene.write(part, b"one")
    scene.round()
    asked = []
    for _ in range(30):
        scene.now += 1.0
        asked += scene.round()
    assert len(asked) == 30 // QUIET_SECONDS
    assert {body for _, body in scene.asked[1:]} == {b""}
    assert scene.recording.since() == until(NOW + 30)


def test_a_large_piece_comes_in_parts_and_is_not_here_before_its_end(scene: Scene) -> None:
    part = f"{FIRST}.part"
    scene.write(part, b"x" * (MOST_PIECE_BYTES + 1))
    assert scene.round() == [f"{part}?since=100&from=0"]
    scene.now += 3.0
    assert scene.round() == [f"{part}?since={until(NOW + 3)}&from={MOST_PIECE_BYTES}"]


def test_it_goes_on_from_what_the_control_plane_has(scene: Scene) -> None:
    part = f"{FIRST}.part"
    scene.write(part, b"one-two")
    scene.here[part] = 4
    assert scene.round() == [f"{part}?since={until(NOW)}&from=0"]
    # That was not the next piece: of what was recorded it is not known until when it is there.
    assert scene.recording.since() == 100
    scene.now += 3.0
    assert scene.round() == [f"{part}?since={until(NOW + 3)}&from=4"]
    assert scene.asked[-1][1] == b"two"


def test_nothing_of_the_open_segment_comes_before_those_that_are_sealed(scene: Scene) -> None:
    scene.write(FIRST, b"one")
    scene.write(f"{SECOND}.part", b"two")
    assert scene.round(status=507) == [f"{FIRST}?since=200"]
    scene.now += 3.0
    assert scene.round() == [f"{FIRST}?since=200", f"{SECOND}.part?since={until(NOW + 3)}&from=0"]
    # It was said once that the disk there does not take it.
    assert len(scene.said) == 1
    assert scene.said[0].startswith("what is recorded is not pushed: http://127.0.0.1:1 refuses")


@pytest.mark.parametrize("told", ["pushes", "is_answered"])
def test_nothing_is_pushed_to_who_does_not_answer_or_does_not_take_it(scene: Scene, told: str) -> None:
    scene.write(FIRST, b"one")
    setattr(scene.talk, told, False)
    assert scene.round() == []
    setattr(scene.talk, told, True)
    assert scene.round() == [f"{FIRST}?since=0"]


def test_what_was_pushed_is_known_after_a_start_and_another_key_is_pushed(
    scene: Scene, tmp_path: Path
) -> None:
    key = scene.folder / "redaction.key"
    key.write_bytes(b"a" * 32)
    scene.write(FIRST, b"one")
    assert len(scene.round()) == 2
    again: Any = OwnRecording(tmp_path, lambda: 1)
    assert list(again.unpushed()) == []
    key.unlink()
    key.write_bytes(b"b" * 32)
    assert list(again.unpushed()) == [key]
    # What the recording has deleted is forgotten.
    (scene.folder / FIRST).unlink()
    scene.write(SECOND, b"two")
    for path in again.unpushed():
        again.pushed(path)
    assert FIRST not in (tmp_path / "cluster" / "pushed").read_text()


def test_what_is_too_large_to_be_taken_keeps_nothing_else_back(scene: Scene) -> None:
    with (scene.folder / "begin-000000.state").open("wb") as file:
        file.truncate(MOST_BEGINNING_BYTES + 1)
    (scene.folder / "begin-000001.state").write_bytes(b"{}")
    scene.write(FIRST, b"one")
    assert scene.round() == ["begin-000001.state?since=100", f"{FIRST}?since=0"]


def test_a_node_that_serves_nothing_or_records_nothing_pushes_nothing(tmp_path: Path) -> None:
    nothing = OwnRecording(tmp_path, lambda: None)
    assert (list(nothing.unpushed()), nothing.piece(), nothing.since(), nothing.told({})) == (
        [],
        None,
        None,
        None,
    )
