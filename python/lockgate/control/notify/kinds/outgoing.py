"""A request to a channel, and what its answer means."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence  # noqa: TC003 - the dataclass of kinds reads them
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from lockgate.control.notify.models import Message
    from lockgate.control.notify.outbound import Answer


class Secrets(BaseModel):
    """What of a channel is kept encrypted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    secret: str = ""
    """What signs webhooks, or the routing key of PagerDuty."""
    previous: str = ""
    """What signed webhooks before; it still does, until `previous_until`."""
    previous_until: float = 0.0
    """Seconds since 1970."""


@dataclass(frozen=True)
class Told:
    """Messages on their way, with what to know of this installation."""

    messages: Sequence[Message]
    base: str
    """The address of the console, without a slash at its end."""
    now: datetime
    ids: Sequence[str]
    """One for each message, the same at each attempt."""

    def link(self, message: Message) -> str:
        """The whole address of a message's page."""
        return self.base + message.link


@dataclass(frozen=True)
class Outgoing:
    """A request that tells them."""

    body: bytes
    headers: Mapping[str, str]


class Verdict(Enum):
    """What an answer means for a delivery."""

    DELIVERED = "delivered"
    AGAIN = "again"
    NEVER = "never"
    GONE = "gone"
    """The channel is no more."""


@dataclass(frozen=True)
class Speech:
    """How one kind of channel is spoken to."""

    compose: Callable[[Secrets, Told], Outgoing]
    judge: Callable[[Answer], Verdict]
    most: int
    """How many messages one request has."""


JSON: Final = {"Content-Type": "application/json", "User-Agent": "Lockgate"}


def written(said: Any) -> bytes:  # noqa: ANN401 - JSON
    """A body."""
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def judge(answer: Answer) -> Verdict:
    """The common meaning of a status: 410 ends a channel, any other failure may pass."""
    if 200 <= answer.status < 300:
        return Verdict.DELIVERED
    return Verdict.GONE if answer.status == 410 else Verdict.AGAIN
