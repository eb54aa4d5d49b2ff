"""What the admin API takes and gives."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - the schemas read it
from typing import Any

from ninja import Schema
from pydantic import ConfigDict, Field


class Strict(Schema):
    """A body; a field that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class Me(Schema):
    """Who calls."""

    who: str
    permissions: list[str]


class UserOut(Schema):
    """An account."""

    id: int
    email: str
    name: str
    role: str
    is_active: bool
    created_at: datetime
    last_login: datetime | None


class Invitation(Strict):
    """A person to invite."""

    email: str = Field(max_length=254)
    name: str = Field("", max_length=120)
    role: str


class Invited(Schema):
    """The new account and the link by which its owner chooses a password, which works once within 7 days."""

    user: UserOut
    link: str


class UserChange(Strict):
    """What to change; what is left out stays."""

    role: str | None = None
    is_active: bool | None = None
    why: str = Field("", max_length=2_000)


class Why(Strict):
    """A reason for the audit log."""

    why: str = Field("", max_length=2_000)


class ResetLink(Schema):
    """A link by which the owner of an account chooses another password, which works once within an hour."""

    link: str


class TokenOut(Schema):
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

    @staticmethod
    def resolve_account(token: Any) -> str:  # noqa: ANN401 - the row, or this
        """The name of the service account."""
        return str(token.account)


class TokenRequest(Strict):
    """A token to issue."""

    account: str = Field(max_length=64)
    purpose: str = Field("", max_length=200)
    scopes: list[str] = Field(max_length=20)
    days: int = 90


class Issued(Schema):
    """A new token. It is shown now and never again."""

    token: str
    about: TokenOut


class EntryOut(Schema):
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


class Entries(Schema):
    """A page of entries, newest first; `next` asks for the page after it."""

    entries: list[EntryOut]
    next: int | None


class Verified(Schema):
    """What the audit log is worth."""

    entries: int
    last: str | None
    fault: str | None


class CheckpointOut(Schema):
    """How long the audit log is and how it ends, signed; `public_key` checks the signature."""

    checkpoint: dict[str, Any]
    public_key: str


class ExceptionOut(Schema):
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
    rule: str
    alert: str
    revision: str
    node: str


class Exceptions(Schema):
    """A page of exceptions, newest first; `next` asks for the page after it."""

    exceptions: list[ExceptionOut]
    next: str | None


class Node(Schema):
    """What the node says of itself; `stats` is absent while it does not answer."""

    listeners: dict[str, str]
    stats: dict[str, Any] | None


class Revisions(Schema):
    """The generations that the node keeps, the newest first among `kept`."""

    generations: dict[str, Any] | None


class RolloutOut(Schema):
    """The rollout that runs, else the last one."""

    rollout: dict[str, Any] | None
