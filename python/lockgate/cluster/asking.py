"""One question of a node to its control plane, with what is believed of an answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from lockgate.cluster.backoff import Backoff, retry_after
from lockgate.cluster.signatures import ANSWER, SignatureError, verify_answer
from lockgate.models import Model

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from lockgate.cluster.identity import Answer, Identity, Request

UNKNOWN_SECONDS = 300.0
"""How often a node asks that the control plane does not know."""
Said = TypeVar("Said", bound=Model)


@dataclass(frozen=True)
class Wait:
    """Wait so many seconds."""

    seconds: float


class NoAnswerError(Exception):
    """Nothing that can be used was answered.

    Args:
        seconds: How long the control plane asks to wait.
        why: What was answered, when a person can do something about it.
    """

    def __init__(self, seconds: float | None = None, why: str = "") -> None:
        super().__init__(why)
        self.seconds = seconds


@dataclass
class Asking:
    """Asks a control plane.

    Args:
        identity: Who asks.
        backoff: How long it waits after failures.
    """

    identity: Identity
    backoff: Backoff = field(default_factory=Backoff, kw_only=True)

    def ask(
        self, method: str, target: str, body: bytes | Path
    ) -> Generator[Request | Wait, Answer | None, Answer]:
        """Ask once.

        Raises:
            NoAnswerError: There is no answer that can be used.
        """
        try:
            request = self.identity.request(method, target, body)
        except OSError as error:
            raise NoAnswerError(why=f"`{target}` cannot be sent: {error}") from None
        answer = yield request
        if answer is None:
            raise NoAnswerError(why=f"{self.identity.control} does not answer; what serves, serves on")
        if answer.status == 503:
            raise NoAnswerError(retry_after(answer.headers.get("retry-after")))
        try:
            said = answer.headers.get(ANSWER, "")
            verify_answer(self.identity.control_key, said, answer.status, request.nonce, answer.body)
        except SignatureError as error:
            raise NoAnswerError(why=str(error)) from None
        if answer.status >= 300:
            text = answer.body.decode("utf-8", "replace").strip()[:300]
            raise NoAnswerError(
                UNKNOWN_SECONDS if answer.status == 403 else None, f"{self.identity.control} refuses: {text}"
            )
        return answer


def read(form: type[Said], answer: Answer) -> Said:
    """What an answer says.

    Raises:
        NoAnswerError: It is in other words than these.
    """
    try:
        return form.model_validate_json(answer.body)
    except ValidationError:
        raise NoAnswerError(
            why="the control plane answers in words of another version; update this node"
        ) from None
