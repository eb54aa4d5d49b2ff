"""A typed client of the control plane: all that the console does, and what happened.

with Client("https://gate.example.com", token) as gate:
    for one in gate.traffic.iter_call_exceptions(api="orders"):
        print(one.at, one.code, one.application)
    found = gate.logs(time_range="last_30_days", metrics=["security_violations"])
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

from lockgate.client import models
from lockgate.client.errors import (
    AnswerError,
    ClientError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    MismatchError,
    NotFoundError,
    Problem,
    ServerError,
    ThrottledError,
    UnauthenticatedError,
    UnreachableError,
)
from lockgate.client.logs import Logs, ask_logs
from lockgate.client.operations import Operations
from lockgate.client.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from lockgate.client.logs import LoggedException

__all__ = [
    "AnswerError",
    "Client",
    "ClientError",
    "ConflictError",
    "ForbiddenError",
    "InvalidError",
    "Logs",
    "MismatchError",
    "NotFoundError",
    "Problem",
    "ServerError",
    "ThrottledError",
    "UnauthenticatedError",
    "UnreachableError",
    "models",
]


class Client(Operations):
    """Asks one control plane, with the token of a service account.

    Its operations are by what they are about: `accounts`, `tokens`, `audit`, `traffic`, and more.

    Args:
        url: Where it is, such as `https://gate.example.com`.
        token: Of a service account, with the scopes that its calls need.
        options: As `Transport` takes them: `verify`, `timeout`.

    Raises:
        ValueError: The token would go over a network without TLS.
    """

    def __init__(self, url: str, token: str, **options: Any) -> None:  # noqa: ANN401 - Transport has them
        self._transport = Transport(url, token, **options)
        super().__init__(self._transport)

    @classmethod
    def from_environment(cls, **options: Any) -> Self:  # noqa: ANN401 - Transport has them
        """Make one for `LOCKGATE_URL` with `LOCKGATE_TOKEN`.

        Raises:
            KeyError: One of them is not set.
        """
        return cls(os.environ["LOCKGATE_URL"], os.environ["LOCKGATE_TOKEN"], **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._transport.close()

    def logs(
        self,
        *,
        time_range: str | tuple[datetime, datetime] = "last_24_hours",
        metrics: str | Sequence[str] = "security_violations",
        limit: int = 100,
        cursor: str | None = None,
    ) -> Logs:
        """Ask `/audit/logs` what happened. The query is itself in the audit log.

        Args:
            time_range: `last_24_hours`, `last_7_days`, `last_30_days`, or two times, the first included.
            metrics: What to count, one or several.
            limit: How many exceptions and actions are told.
            cursor: That of the answer before, for the exceptions after it.

        Raises:
            ClientError: Nothing came of it.
        """
        return ask_logs(self._transport, time_range, metrics, limit, cursor)

    def iter_logged(
        self,
        *,
        time_range: str | tuple[datetime, datetime] = "last_24_hours",
        metrics: str | Sequence[str] = "security_violations",
    ) -> Iterator[LoggedException]:
        """Every exception of `/audit/logs`, newest first, a page at a time.

        Raises:
            ClientError: Nothing came of it.
        """
        cursor: str | None = None
        while True:
            found = self.logs(time_range=time_range, metrics=metrics, limit=1_000, cursor=cursor)
            yield from found.exceptions
            if found.cursor is None:
                return
            # The bounds as they were understood at first: time goes on, and pages must fit together.
            time_range, cursor = (found.time_range.from_, found.time_range.to), found.cursor
