"""Testing policies in Python: a gateway on the bench. It opens no port and reads no secret.

The fixture `gateway` of the pytest plugin gives one; see the guide on testing policies.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lockgate import _engine
from lockgate.documents import check_address, check_url
from lockgate.models import Trace

if TYPE_CHECKING:
    from os import PathLike

Fields = Mapping[str, str] | Iterable[tuple[str, str]]


class Bench:
    """A gateway that decides about requests as a live one does, with a clock that only the test moves.

    Limits and quotas count from one call to the next. Every application of the document has a key.

    Args:
        document: The document.
        at: The time of the first call; now by default. A time without a zone is UTC.

    Raises:
        ProblemsError: The document has errors.
    """

    def __init__(self, document: str | PathLike[str], *, at: datetime | str | None = None) -> None:
        self._bench = _engine.Bench(document)
        self.now = _time(at)
        """The time of the next call."""

    def wait(self, seconds: float | timedelta) -> None:
        """Move the clock on."""
        span = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
        if span < timedelta():
            message = "the clock of a gateway never goes back; write a time that passes"
            raise ValueError(message)
        self.now += span

    def call(
        self,
        method: str,
        url: str,
        *,
        application: str | None = None,
        headers: Fields = (),
        body: str | None = None,
        json: Any = None,  # noqa: ANN401 - anything that JSON can hold
        client: str | None = None,
        facts: Iterable[Any] = (),
        answer: Answer | None = None,
    ) -> Trace:
        """Send a request; what becomes of it.

        Args:
            method: The method, such as `GET`.
            url: A path with query, or a whole URL.
            application: The application that calls; its key goes where the route's `api_key` policy looks.
            headers: Header fields.
            body: The body as text.
            json: The body as JSON, in place of `body`.
            client: The caller's address; 127.0.0.1 by default.
            facts: What issuers and authorization servers answer, in the order in which they are asked.
            answer: What the service answers; nothing is known of its answer by default.

        Raises:
            ValueError: The request cannot be sent as it is written.
        """
        check_url(url)
        if client is not None:
            check_address(client)
        fields, body = _content(headers, body, json)
        request = {
            "method": method,
            "url": url,
            "headers": fields,
            "body": body,
            "client": client,
            "at": self.now.isoformat(),
            "facts": list(facts),
            "answer": answer and answer.written(),
        }
        return Trace.model_validate_json(self._bench.call(_dumps(request), application))


class Answer:
    """What a service answers.

    Args:
        status: The status.
        headers: Header fields.
        body: The body as text.
        json: The body as JSON, in place of `body`.
    """

    def __init__(
        self,
        status: int = 200,
        *,
        headers: Fields = (),
        body: str | None = None,
        json: Any = None,  # noqa: ANN401 - anything that JSON can hold
    ) -> None:
        self.status = status
        self.headers, self.body = _content(headers, body, json)

    def written(self) -> dict[str, Any]:
        """The answer as the engine reads it."""
        return {"status": self.status, "headers": self.headers, "body": self.body or ""}


def _time(at: datetime | str | None) -> datetime:
    """A time with its zone."""
    time = datetime.fromisoformat(at) if isinstance(at, str) else at or datetime.now(UTC)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _dumps(value: Any) -> str:  # noqa: ANN401 - anything that JSON can hold
    return json.dumps(value, ensure_ascii=False)


def _content(headers: Fields, body: str | None, value: Any) -> tuple[list[tuple[str, str]], str | None]:  # noqa: ANN401
    """Fields and body; a JSON body names its type unless the fields do."""
    fields = list(headers.items() if isinstance(headers, Mapping) else headers)
    if value is None:
        return fields, body
    if body is not None:
        message = "write either `body` or `json`"
        raise ValueError(message)
    if not any(name.lower() == "content-type" for name, _ in fields):
        fields.append(("Content-Type", "application/json"))
    return fields, _dumps(value)
