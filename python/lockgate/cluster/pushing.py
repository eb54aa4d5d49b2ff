"""What a node pushes of its recording, and when: sealed segments whole, and of the open one what is new.

It waits for no news, so that what was recorded is at the control plane within seconds. Of the open segment
each byte is sent once, not more often than the control plane asks for, and the whole of it when it is sealed:
twice what is recorded at most.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from lockgate.cluster.asking import Asking, NoAnswerError, Wait, read
from lockgate.cluster.wire import Taken, segment_target

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from lockgate.cluster.conversation import Conversation
    from lockgate.cluster.identity import Answer, Request
    from lockgate.cluster.recorded import OwnRecording

TICK_SECONDS: Final = 1.0
"""How often it is looked for something new; nothing is sent for that."""
MOST_SEGMENTS: Final = 100
"""In one round: as many as come together while the control plane does not answer for a quarter of an hour."""


@dataclass
class Pushing(Asking):
    """Pushes what a node has recorded.

    Args:
        identity: Who it is.
        recording: What it has recorded.
        talk: What it is told by.
        say: Tells the people of this machine.
        backoff: How long it waits after failures.
    """

    recording: OwnRecording
    talk: Conversation
    say: Callable[[str], None]
    _is_taken: bool = True
    _open_at: float = 0.0
    """When something of the open segment may be sent again, by the monotonic clock."""

    def go_on(self) -> Generator[Request | Wait, Answer | None, None]:
        """Push for ever: yields requests to be made and times to be waited, and gets answers."""
        while True:
            # Who does not answer questions is not asked to take segments as well (F14).
            if not (self.talk.pushes and self.talk.is_answered):
                yield Wait(TICK_SECONDS)
                continue
            try:
                yield from self._round()
            except NoAnswerError as error:
                yield self._failed(str(error), error.seconds)
            # Whatever it was, the next round may do better.
            except Exception as error:  # noqa: BLE001
                yield self._failed(str(error) or type(error).__name__, None)
            else:
                self._is_taken = True
                self.backoff.succeeded()
                yield Wait(TICK_SECONDS)

    def _failed(self, why: str, seconds: float | None) -> Wait:
        if why and self._is_taken and self.talk.is_answered:
            self.say(f"what is recorded is not pushed: {why}")
            self._is_taken = False
        return Wait(self.backoff.failed(seconds))

    def _round(self) -> Generator[Request | Wait, Answer | None, None]:
        for path in islice(self.recording.unpushed(), MOST_SEGMENTS):
            since = self.recording.since(without=path)
            yield from self.ask("PUT", segment_target(path.name, since), path)
            self.recording.pushed(path)
        if time.monotonic() < self._open_at:
            return
        piece = self.recording.piece()
        if piece is None:
            return
        target = segment_target(piece.path.name, piece.since, piece.begins)
        taken = read(Taken, (yield from self.ask("PUT", target, piece.content)))
        self.recording.took(piece, taken.bytes)
        # As seldom for all as suits the control plane, and each at another time.
        self._open_at = time.monotonic() + taken.every_seconds * self.backoff.random.uniform(0.8, 1.2)
