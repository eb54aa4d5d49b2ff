"""What the admin API takes and gives about teams, applications and plans."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - the schemas read it
from typing import Any

from ninja import Schema
from pydantic import Field

from lockgate.control.access.credentials import USUAL_DAYS, USUAL_OVERLAP_HOURS
from lockgate.control.api.forms import Strict


class TeamOut(Schema):
    """A team."""

    name: str
    title: str
    created_at: datetime


class TeamRequest(Strict):
    """A team to make; whoever makes it owns it."""

    name: str = Field(max_length=64)
    title: str = Field("", max_length=120)


class MemberOut(Schema):
    """A person in a team."""

    email: str
    role: str
    since: datetime

    @staticmethod
    def resolve_email(member: Any) -> str:  # noqa: ANN401 - the row, or this
        """The address of the person."""
        return str(member.user.email)


class MemberChange(Strict):
    """Another role for a member: `owner` or `member`."""

    role: str = Field(max_length=16)
    why: str = Field("", max_length=2_000)


class TeamInvitation(Strict):
    """Somebody to invite."""

    email: str = Field(max_length=254)
    role: str = Field("member", max_length=16)


class TeamInvited(Schema):
    """The link, which works once, within 7 days, for the one address."""

    link: str


class ApplicationOut(Schema):
    """An application; `state` is `active`, `suspended` or `retired`."""

    name: str
    title: str
    description: str
    team: str
    state: str
    created_by: str
    created_at: datetime

    @staticmethod
    def resolve_team(application: Any) -> str:  # noqa: ANN401 - the row, or this
        """The name of the team."""
        return str(application.team)


class ApplicationRequest(Strict):
    """An application to make."""

    name: str = Field(max_length=64)
    title: str = Field("", max_length=120)
    description: str = Field("", max_length=2_000)
    team: str = Field(max_length=64)


class ApplicationChange(Strict):
    """What to change; what is left out stays."""

    title: str | None = Field(None, max_length=120)
    description: str | None = Field(None, max_length=2_000)


class ApplicationMove(Strict):
    """The team that an application goes to."""

    team: str = Field(max_length=64)
    why: str = Field("", max_length=2_000)


class CredentialOut(Schema):
    """A credential, without its secret; `kind` is `key` or `client`."""

    id: int
    kind: str
    label: str
    prefix: str
    client_id: str | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaces: int | None

    @staticmethod
    def resolve_replaces(credential: Any) -> int | None:  # noqa: ANN401 - the row, or this
        """The id of the one that it was made in the place of."""
        found: int | None = credential.replaces_id
        return found


class CredentialRequest(Strict):
    """A credential to make."""

    kind: str = Field("key", max_length=16)
    label: str = Field("", max_length=120)
    days: int = USUAL_DAYS


class Rotation(Strict):
    """How long the old one works on, and the new one lives."""

    overlap_hours: int = USUAL_OVERLAP_HOURS
    days: int = USUAL_DAYS


class CredentialIssued(Schema):
    """A new credential. Its secret is shown now and never again."""

    secret: str
    credential: CredentialOut


class PlanOut(Schema):
    """A plan."""

    name: str
    title: str
    description: str
    apis: list[str]
    scopes: list[str]
    rate_limit: int | None
    rate_per: str
    quota: int | None
    quota_per: str
    needs_approval: bool
    is_open: bool
    owner: str | None

    @staticmethod
    def resolve_owner(plan: Any) -> str | None:  # noqa: ANN401 - the row, or this
        """The address of who decides."""
        return plan.owner.email if plan.owner else None


class PlanWithPolicies(Schema):
    """A plan, the policies for its limits, and the limits that the served document does not hold."""

    plan: PlanOut
    policies: str
    missing: list[str]


class PlanChange(Strict):
    """What to change; what is left out stays."""

    title: str | None = Field(None, max_length=120)
    description: str | None = Field(None, max_length=2_000)
    apis: list[str] | None = None
    scopes: list[str] | None = None
    rate_limit: int | None = None
    rate_per: str | None = Field(None, max_length=16)
    quota: int | None = None
    quota_per: str | None = Field(None, max_length=16)
    needs_approval: bool | None = None
    is_open: bool | None = None
    owner: str | None = Field(None, max_length=254)


class PlanRequest(PlanChange):
    """A plan to make."""

    name: str = Field(max_length=64)


class SubscriptionOut(Schema):
    """A subscription or a request; `state` is `requested`, `active`, `refused` or `ended`."""

    id: int
    application: str
    plan: str
    state: str
    reason: str
    asked_by: str
    asked_at: datetime
    decided_by: str
    decided_at: datetime | None
    answer: str
    ended_at: datetime | None

    @staticmethod
    def resolve_application(subscription: Any) -> str:  # noqa: ANN401 - the row, or this
        """The name of the application."""
        return str(subscription.application)

    @staticmethod
    def resolve_plan(subscription: Any) -> str:  # noqa: ANN401 - the row, or this
        """The name of the plan."""
        return str(subscription.plan)


class SubscriptionRequest(Strict):
    """A plan to ask for."""

    plan: str = Field(max_length=64)
    reason: str = Field("", max_length=2_000)


class Decision(Strict):
    """A decision about a request."""

    approve: bool
    answer: str = Field("", max_length=2_000)


class DeliveryOut(Schema):
    """A change that the node was not told of yet."""

    kind: str
    created_at: datetime
    attempts: int
    error: str


class DirectoryOut(Schema):
    """What the node was told, what waits, and who else has applications."""

    sequence: int
    published_at: datetime | None
    follows_document: bool
    waiting: list[DeliveryOut]
    taken: list[str]
    others: dict[str, str]
