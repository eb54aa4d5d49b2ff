"""What can be told, and to whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from lockgate.control.accounts.models import User

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Severity = Literal["info", "warning", "error", "critical"]


@dataclass(frozen=True)
class Holders:
    """Everybody who has a permission, and the channels of the installation: those who run the gateway."""

    permission: str


@dataclass(frozen=True)
class Owners:
    """The owners of an API who have a permission; when there is none, everybody who has it.

    Channels of the installation hear of it in both cases.
    """

    api: str
    permission: str


Recipient = User | Holders | Owners | str
"""A person, those who have a permission or own an API, or the team of an application by its name."""


@dataclass(frozen=True)
class Event:
    """Something that people should learn of."""

    kind: str
    """Such as `alert.opened`: a topic of `TOPICS`, a dot, and what happened."""
    title: str
    """One line in plain words."""
    text: str
    """What to know and what to do, in plain text."""
    link: str
    """The path of the page about it, such as `/alerts/7/`."""
    to: Sequence[Recipient]
    data: Mapping[str, Any] = field(default_factory=dict)
    """What programs read: JSON values."""
    key: str = ""
    """What it is about. Of several events of one kind and key within an hour, one is delivered."""
    severity: Severity = "info"
    resolves: bool = False
    """Whether what `key` names is over: pagers close what they opened."""


@dataclass(frozen=True)
class Topic:
    """What events are about; people choose by these."""

    name: str
    title: str
    what: str
    mail: bool
    """Whether it is sent by e-mail unless a person says otherwise."""


TOPICS: Final = (
    Topic("alert", "Alerts", "refusals, attacks and anomalies that need a look", mail=True),
    Topic("change", "Changes", "changes that wait for you, roll out or are rolled back", mail=True),
    Topic("notice", "Policy notices", "policies that will change for your calls", mail=True),
    Topic("key", "Keys and certificates", "what expires, is rotated or revoked", mail=True),
    Topic("access", "Access", "invitations, subscriptions and their approval", mail=True),
    Topic("feedback", "Feedback", "answers to what you reported, and reports to answer", mail=True),
    Topic("account", "Your account", "a password or a second factor that was changed", mail=True),
    Topic("channel", "Channels", "a channel of yours that no longer takes deliveries", mail=True),
    Topic("other", "Everything else", "whatever fits none of these", mail=False),
)
_NAMES: Final = frozenset(topic.name for topic in TOPICS)


def topic_of(kind: str) -> str:
    """The topic of a kind of event."""
    name = kind.partition(".")[0]
    return name if name in _NAMES else "other"
