"""What a node asks, and when. It makes no calls and reads no clock: whoever drives it does both.

`talk` yields what is to be done, and gets what came of it. So the same code runs in the thread of a node and
in a thousand tasks of a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from lockgate.cluster.asking import Asking, NoAnswerError, Wait, read
from lockgate.cluster.wire import DIRECTORIES, POLL, REFUSALS, REVISIONS, Assignment, Members, Refusals

if TYPE_CHECKING:
    from collections.abc import Generator

    from lockgate.cluster.identity import Answer, Request
    from lockgate.cluster.wire import Report

SPREAD_SECONDS: Final = 5.0
"""A node that serves already waits up to so long before it asks for the first time."""
FETCH_SPREAD_SECONDS: Final = 1.0
"""So long at most before what is not urgent is fetched."""


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

    def say(self, text: str) -> None:
        """Tell the people of this machine."""


@dataclass
class Conversation(Asking):
    """Talks to a control plane for a node.

    Args:
        identity: Who it is.
        node: What serves.
        backoff: How long it waits after failures.
    """

    node: Serves
    known: str = ""
    is_answered: bool = True
    """Whether the last request was."""
    pushes: bool = False
    """Whether the control plane takes what is recorded."""
    _refused: str = ""
    """The digest of what the node refuses."""

    def talk(self) -> Generator[Request | Wait, Answer | None, None]:
        """Talk for ever: yields requests to be made and times to be waited, and gets answers."""
        if not self.node.is_empty:
            yield Wait(self.backoff.random.uniform(0.0, SPREAD_SECONDS))
        while True:
            try:
                yield from self._round()
            except NoAnswerError as error:
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
        assignment = read(Assignment, (yield from self.ask("POST", POLL, report)))
        if assignment.digest != self.known:
            yield from self._follow(assignment)
            self.known = assignment.digest
            # Whoever drives this may have to do something of its own now.
            yield Wait(0.0)
        self.pushes = assignment.pushes

    def _follow(self, assignment: Assignment) -> Generator[Request | Wait, Answer | None, None]:
        # What refuses more comes first and at once.
        if assignment.refusals != self._refused:
            refusals = read(Refusals, (yield from self.ask("GET", REFUSALS, b"")))
            self.node.refuse(refusals)
            self._refused = refusals.digest
        if assignment.withdrawn:
            self.node.go_back(assignment.withdrawn, assignment.revision)
        number = assignment.directory
        if number is not None and not self.node.has_directory(number):
            yield self._later()
            members = read(Members, (yield from self.ask("GET", f"{DIRECTORIES}{number}", b"")))
            self.node.take_directory(members)
        number = assignment.revision
        if number is not None and not self.node.has_revision(number):
            yield self._later()
            bundle = yield from self.ask("GET", f"{REVISIONS}{number}", b"")
            self.node.take_revision(number, bundle.body, again=assignment.again)

    def _later(self) -> Wait:
        is_empty = self.node.is_empty
        return Wait(0.0 if is_empty else self.backoff.random.uniform(0.0, FETCH_SPREAD_SECONDS))
