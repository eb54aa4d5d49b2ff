"""What a node asks, and when. It makes no calls and reads no clock: whoever drives it does both.

`talk` yields what is to be done, and gets what came of it. So the same code runs in the thread of a node and
in a thousand tasks of a test.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from pydantic import ValidationError

from lockgate.cluster.backoff import Backoff, retry_after
from lockgate.cluster.signatures import ANSWER, SignatureError, verify_answer
from lockgate.cluster.wire import (
    DIRECTORIES,
    POLL,
    REFUSALS,
    REVISIONS,
    SEGMENTS,
    Assignment,
    Members,
    Refusals,
)
from lockgate.models import Model

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from lockgate.cluster.identity import Answer, Identity, Request
    from lockgate.cluster.wire import Report

SPREAD_SECONDS: Final = 5.0
"""A node that serves already waits up to so long before it asks for the first time."""
FETCH_SPREAD_SECONDS: Final = 1.0
"""So long at most before what is not urgent is fetched."""
MOST_SEGMENTS: Final = 100
"""In one round: as many as come together while the control plane does not answer for a quarter of an hour."""
ENOUGH_BYTES: Final = 64 << 20
"""What is pushed in a round ends with the segment that reaches this: then it is asked what else there is."""
UNKNOWN_SECONDS: Final = 300.0
"""How often a node asks that the control plane does not know."""
Said = TypeVar("Said", bound=Model)


@dataclass(frozen=True)
class Wait:
    """Wait so many seconds."""

    seconds: float


class RetryError(Exception):
    """A node could not do what it was told, and is to try again."""


class Serves(Protocol):
    """What is told to the control plane, and does what it says. What it cannot do now raises `RetryError`."""

    @property
    def is_empty(self) -> bool:
        """Whether it has nothing to serve yet."""

    def report(self, known: str) -> Report:
        """What it is now."""

    def refuse(self, refusals: Refusals) -> None:
        """Refuse what is revoked and blocked."""

    def go_back(self, withdrawn: tuple[int, ...], to: int | None) -> None:
        """Serve something else than what was withdrawn."""

    def has_directory(self, number: int) -> bool:
        """Whether it has that one, a newer one, or does not take it."""

    def take_directory(self, members: Members) -> None:
        """Serve with other applications."""

    def has_revision(self, number: int) -> bool:
        """Whether it serves that one, or does not take it."""

    def take_revision(self, number: int, bundle: bytes, *, again: bool) -> None:
        """Serve another revision."""

    def segments(self) -> Iterator[Path]:
        """Segments that were not pushed yet, oldest first; before them what replays of them need."""

    def pushed(self, segment: Path) -> None:
        """Note that the control plane has it."""

    def say(self, text: str) -> None:
        """Tell the people of this machine."""


class _NoAnswerError(Exception):
    """Nothing that can be used was answered.

    Args:
        seconds: How long the control plane asks to wait.
        why: What was answered, when a person can do something about it.
    """

    def __init__(self, seconds: float | None = None, why: str = "") -> None:
        super().__init__(why)
        self.seconds = seconds


@dataclass
class Conversation:
    """Talks to a control plane for a node.

    Args:
        identity: Who it is.
        node: What serves.
        backoff: How long it waits after failures.
    """

    identity: Identity
    node: Serves
    backoff: Backoff = field(default_factory=Backoff)
    known: str = ""
    is_answered: bool = True
    """Whether the last request was."""
    _refused: str = ""
    """The digest of what the node refuses."""

    def talk(self) -> Generator[Request | Wait, Answer | None, None]:
        """Talk for ever: yields requests to be made and times to be waited, and gets answers."""
        if not self.node.is_empty:
            yield Wait(self.backoff.random.uniform(0.0, SPREAD_SECONDS))
        while True:
            try:
                yield from self._round()
            except _NoAnswerError as error:
                yield self._failed(str(error), error.seconds)
            # Whatever it was, what serves serves on, and the next round may do better.
            except Exception as error:  # noqa: BLE001
                yield self._failed(str(error) or type(error).__name__, None)
            else:
                if not self.is_answered:
                    self.is_answered = True
                    self.node.say(f"{self.identity.control} answers again")
                self.backoff.succeeded()

    def _failed(self, why: str, seconds: float | None) -> Wait:
        if why and self.is_answered:
            self.node.say(why)
            self.is_answered = False
        return Wait(self.backoff.failed(seconds))

    def _round(self) -> Generator[Request | Wait, Answer | None, None]:
        report = self.node.report(self.known).model_dump_json().encode()
        assignment = _read(Assignment, (yield from self._ask("POST", POLL, report)))
        if assignment.digest != self.known:
            yield from self._follow(assignment)
            self.known = assignment.digest
            # Whoever drives this may have to do something of its own now.
            yield Wait(0.0)
        if assignment.pushes:
            pushed = 0
            for segment in islice(self.node.segments(), MOST_SEGMENTS):
                size = segment.stat().st_size
                yield from self._ask("PUT", f"{SEGMENTS}{segment.name}", segment)
                self.node.pushed(segment)
                pushed += size
                if pushed >= ENOUGH_BYTES:
                    return

    def _follow(self, assignment: Assignment) -> Generator[Request | Wait, Answer | None, None]:
        # What refuses more comes first and at once.
        if assignment.refusals != self._refused:
            refusals = _read(Refusals, (yield from self._ask("GET", REFUSALS, b"")))
            self.node.refuse(refusals)
            self._refused = refusals.digest
        if assignment.withdrawn:
            self.node.go_back(assignment.withdrawn, assignment.revision)
        number = assignment.directory
        if number is not None and not self.node.has_directory(number):
            yield self._later()
            members = _read(Members, (yield from self._ask("GET", f"{DIRECTORIES}{number}", b"")))
            self.node.take_directory(members)
        number = assignment.revision
        if number is not None and not self.node.has_revision(number):
            yield self._later()
            bundle = yield from self._ask("GET", f"{REVISIONS}{number}", b"")
            self.node.take_revision(number, bundle.body, again=assignment.again)

    def _ask(
        self, method: str, target: str, body: bytes | Path
    ) -> Generator[Request | Wait, Answer | None, Answer]:
        try:
            request = self.identity.request(method, target, body)
        except OSError as error:
            raise _NoAnswerError(why=f"`{target}` cannot be sent: {error}") from None
        answer = yield request
        if answer is None:
            raise _NoAnswerError(why=f"{self.identity.control} does not answer; what serves, serves on")
        if answer.status == 503:
            raise _NoAnswerError(retry_after(answer.headers.get("retry-after")))
        try:
            said = answer.headers.get(ANSWER, "")
            verify_answer(self.identity.control_key, said, answer.status, request.nonce, answer.body)
        except SignatureError as error:
            raise _NoAnswerError(why=str(error)) from None
        if answer.status >= 300:
            text = answer.body.decode("utf-8", "replace").strip()[:300]
            raise _NoAnswerError(
                UNKNOWN_SECONDS if answer.status == 403 else None, f"{self.identity.control} refuses: {text}"
            )
        return answer

    def _later(self) -> Wait:
        is_empty = self.node.is_empty
        return Wait(0.0 if is_empty else self.backoff.random.uniform(0.0, FETCH_SPREAD_SECONDS))


def _read(form: type[Said], answer: Answer) -> Said:
    try:
        return form.model_validate_json(answer.body)
    except ValidationError:
        raise _NoAnswerError(
            why="the control plane answers in words of another version; update this node"
        ) from None
