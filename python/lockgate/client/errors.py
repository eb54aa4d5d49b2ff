"""What asking a control plane comes to when it is not an answer.

ClientError                 nothing came of it
├── UnreachableError        nobody answered, or the connection broke
├── MismatchError           what was answered is not what this client knows
└── AnswerError             the control plane said no, and why
    ├── InvalidError        400, 422: something of the request makes no sense
    ├── UnauthenticatedError    401: the token opens nothing
    ├── ForbiddenError      403: the token is good for other things
    ├── NotFoundError       404: there is none
    ├── ConflictError       409: it does not go with what is there
    ├── ThrottledError      429: too often
    └── ServerError         500 and above: a fault of the other side
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

if TYPE_CHECKING:
    import httpx


class Problem(BaseModel):
    """What was wrong, as RFC 9457 has it. What a problem says beyond is in `model_extra`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str = "about:blank"
    title: str = ""
    status: int = 0
    detail: str = ""


class ClientError(Exception):
    """Nothing came of it."""


class UnreachableError(ClientError):
    """Nobody answered, or the connection broke."""


class MismatchError(ClientError):
    """What was answered is not what this client knows; it may be older or newer than the control plane."""


class AnswerError(ClientError):
    """The control plane said no, and why.

    Args:
        status: The status of the answer.
        problem: What it said.
        retry_after: In how many seconds it may be tried again, where that is said.
    """

    def __init__(self, status: int, problem: Problem, retry_after: float | None = None) -> None:
        super().__init__(f"{status} {problem.detail or problem.title}".strip())
        self.status = status
        self.problem = problem
        self.retry_after = retry_after


class InvalidError(AnswerError):
    """Something of the request makes no sense."""

    @property
    def errors(self) -> list[dict[str, Any]]:
        """Each place (`at`) with what is wrong there (`message`), where that is told."""
        found = (self.problem.model_extra or {}).get("errors")
        return found if isinstance(found, list) else []


class UnauthenticatedError(AnswerError):
    """The token opens nothing."""


class ForbiddenError(AnswerError):
    """The token is good for other things."""

    @property
    def needs(self) -> str | None:
        """The scope that is missing, where it is one."""
        found = (self.problem.model_extra or {}).get("needs")
        return found if isinstance(found, str) else None


class NotFoundError(AnswerError):
    """There is none."""


class ConflictError(AnswerError):
    """It does not go with what is there."""


class ThrottledError(AnswerError):
    """Too often; `retry_after` says when to try again."""


class ServerError(AnswerError):
    """A fault of the other side."""


_KINDS = {
    HTTPStatus.BAD_REQUEST: InvalidError,
    HTTPStatus.UNPROCESSABLE_ENTITY: InvalidError,
    HTTPStatus.UNAUTHORIZED: UnauthenticatedError,
    HTTPStatus.FORBIDDEN: ForbiddenError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.CONFLICT: ConflictError,
    HTTPStatus.TOO_MANY_REQUESTS: ThrottledError,
}


def error_of(answer: httpx.Response) -> AnswerError:
    """The error that an answer is."""
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        problem = Problem(title=answer.reason_phrase, status=answer.status_code)
    kind = _KINDS.get(HTTPStatus(answer.status_code)) if answer.status_code in set(HTTPStatus) else None
    if kind is None:
        kind = ServerError if answer.status_code >= 500 else AnswerError
    return kind(answer.status_code, problem, seconds_of(answer))


def seconds_of(answer: httpx.Response) -> float | None:
    """What `Retry-After` says, when it is a number of seconds."""
    said = answer.headers.get("Retry-After", "")
    return float(said) if said.isascii() and said.isdecimal() and len(said) < 9 else None
