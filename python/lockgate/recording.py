"""Reading recordings: each request with what the gateway decided and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from lockgate import _engine
from lockgate.models import Event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from os import PathLike


class Recording:
    """The events of a segment, or of a folder of segments, in their order.

    Args:
        path: A segment or a folder.
        application: Only events of this application.
        api: Only events of this API.
        route: Only events of this route.
        code: Only refusals with this reason code.
        decision: Only events with this decision.
        status: Only answers with a status from the first to the second.
        since: The earliest time.
        until: The latest time.
        client: Only events of this address.
        path_contains: Only events whose path contains this text.
        limit: The most events.

    Raises:
        OSError: The recording cannot be read.
        ValueError: `client` is not an address.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        application: str | None = None,
        api: str | None = None,
        route: str | None = None,
        code: str | None = None,
        decision: Literal["forward", "refuse", "respond"] | None = None,
        status: tuple[int, int] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        client: str | None = None,
        path_contains: str | None = None,
        limit: int | None = None,
    ) -> None:
        wanted = {
            "application": application,
            "api": api,
            "route": route,
            "code": code,
            "decision": decision,
            "status": status,
            "since": _micros(since),
            "until": _micros(until),
            "client": client,
            "path_contains": path_contains,
            "limit": limit,
        }
        self._events = _engine.Events(path, json.dumps(wanted))

    def __iter__(self) -> Iterator[Event]:
        for text in self._events:
            yield Event.model_validate_json(text)

    @property
    def damages(self) -> list[str]:
        """What could not be read so far, one sentence each; reading goes on behind it."""
        return self._events.damages()


def _micros(time: datetime | None) -> int | None:
    return None if time is None else int(time.timestamp() * 1_000_000)
