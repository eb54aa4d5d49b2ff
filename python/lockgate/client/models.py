"""What the admin API takes and gives.

Written by `make client` from the OpenAPI document; changes are made there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class Told(BaseModel):
    """Something that the API gives; fields that a newer one gives beside are left alone."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="ignore")


class ChannelChange(Told):
    """What to change; what is left out stays. `enabled` ends that a channel is disabled."""

    topics: list[str] | None = None
    enabled: bool | None = None


class ChannelOut(Told):
    """A channel of those who run the gateway; of its address only the host is told."""

    id: int
    name: str
    kind: str
    url: str
    topics: list[str]
    created_at: datetime
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_why: str


class CheckpointOut(Told):
    """How long the audit log is and how it ends, signed; `public_key` checks the signature."""

    checkpoint: dict[str, Any]
    public_key: str


class Deliveries(Told):
    """A page of deliveries, newest first; `next` asks for the page after it."""

    deliveries: list[DeliveryOut]
    next: int | None


class DeliveryOut(Told):
    """A message on its way to a channel, or what became of it."""

    id: int
    kind: str
    title: str
    state: str
    attempts: int
    result: str
    created_at: datetime
    ended_at: datetime | None


class Entries(Told):
    """A page of entries, newest first; `next` asks for the page after it."""

    entries: list[EntryOut]
    next: int | None


class EntryOut(Told):
    """An entry of the audit log; `lockgate.audit.AuditEntry` explains its fields."""

    seq: int
    at: str
    who: str
    user: str
    host: str
    action: str
    object: str
    before: str | None
    after: str | None
    why: str | None
    evidence: dict[str, str]
    details: dict[str, str]
    previous: str
    sha256: str


class ExceptionOut(Told):
    """A call that was refused or failed."""

    at: str
    request: str
    api: str
    route: str
    application: str
    source: str
    method: str
    path: str
    status: int
    code: str
    alert: str
    revision: str


class Exceptions(Told):
    """A page of exceptions, newest first; `next` asks for the page after it."""

    exceptions: list[ExceptionOut]
    next: str | None


class Invitation(Told):
    """A person to invite."""

    email: str
    name: str = ""
    role: str


class Invited(Told):
    """The new account and the link by which its owner chooses a password, which works once within 7 days."""

    user: UserOut
    link: str


class Issued(Told):
    """A new token. It is shown now and never again."""

    token: str
    about: TokenOut


class Made(Told):
    """The new channel. The secret that signs a webhook's deliveries is shown now and never again."""

    channel: ChannelOut
    secret: str


class Me(Told):
    """Who calls."""

    who: str
    permissions: list[str]


class NewChannel(Told):
    """A channel to make. `routing_key` is PagerDuty's, whose `url` may be left out."""

    kind: str
    name: str
    topics: list[str]
    url: str = ""
    routing_key: str = ""


class Node(Told):
    """What the node says of itself; `stats` is absent while it does not answer."""

    listeners: dict[str, str]
    stats: dict[str, Any] | None


class ResetLink(Told):
    """A link by which the owner of an account chooses another password, which works once within an hour."""

    link: str


class Revisions(Told):
    """The generations that the node keeps, the newest first among `kept`."""

    generations: dict[str, Any] | None


class RolloutOut(Told):
    """The rollout that runs, else the last one."""

    rollout: dict[str, Any] | None


class Secret(Told):
    """The new secret. The one before signs as well for 24 hours."""

    secret: str


class TokenOut(Told):
    """A token, without itself."""

    id: int
    account: str
    prefix: str
    scopes: list[str]
    created_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


class TokenRequest(Told):
    """A token to issue."""

    account: str
    purpose: str = ""
    scopes: list[str]
    days: int = 90


class UserChange(Told):
    """What to change; what is left out stays."""

    role: str | None = None
    is_active: bool | None = None
    why: str = ""


class UserOut(Told):
    """An account."""

    id: int
    email: str
    name: str
    role: str
    is_active: bool
    created_at: datetime
    last_login: datetime | None


class Verified(Told):
    """What the audit log is worth."""

    entries: int
    last: str | None
    fault: str | None


class Why(Told):
    """A reason for the audit log."""

    why: str = ""
