"""Tables of teams, applications, their credentials, plans and subscriptions.

No secret is in any of them: keys and client secrets are kept as their SHA-256, links as well.
"""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

NAME_CHARACTERS = 64


class Team(models.Model):
    """People who answer for applications together."""

    name = models.CharField(max_length=NAME_CHARACTERS, unique=True)
    title = models.CharField(max_length=120)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person in a team."""

    class Role(models.TextChoices):
        """What a member may do."""

        OWNER = "owner"
        MEMBER = "member"

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices)
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        """A person is in a team once."""

        constraints: ClassVar = [models.UniqueConstraint(fields=["team", "user"], name="one_membership")]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"


class Invitation(models.Model):
    """A link that makes whoever has an account and opens it a member of a team, once."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    """Whom it is for: nobody else can use it."""
    role = models.CharField(max_length=16, choices=Membership.Role.choices)
    sha256 = models.CharField(max_length=64, unique=True)
    invited_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.email} to {self.team}"


class Application(models.Model):
    """A program that calls APIs. Its name is what the node's directory and recorded events call it."""

    name = models.CharField(max_length=NAME_CHARACTERS, unique=True)
    title = models.CharField(max_length=120)
    description = models.CharField(max_length=2_000, blank=True)
    team = models.ForeignKey(
        Team, on_delete=models.PROTECT, related_name="applications", related_query_name="application"
    )
    created_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=timezone.now)
    suspended_at = models.DateTimeField(null=True)
    """All its credentials are refused meanwhile."""
    retired_at = models.DateTimeField(null=True)
    """It is over for ever; the name stays taken, because events bear it."""

    def __str__(self) -> str:
        return self.name

    @property
    def state(self) -> str:
        """How it stands, in a word."""
        if self.retired_at is not None:
            return "retired"
        return "suspended" if self.suspended_at is not None else "active"


class Credential(models.Model):
    """A key or an OAuth 2.0 client of an application. The secret itself is kept nowhere."""

    class Kind(models.TextChoices):
        """What it is."""

        KEY = "key"
        CLIENT = "client"

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="credentials")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    label = models.CharField(max_length=120, blank=True)
    """What people call it."""
    prefix = models.CharField(max_length=16)
    """How the secret begins, to tell several apart."""
    sha256 = models.CharField(max_length=64, unique=True)
    client_id = models.CharField(max_length=80, null=True, db_index=True)
    """Of a client; two secrets share it while one takes the place of the other."""
    created_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    replaces = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="replaced_by")
    """The one that this one was made to take the place of."""
    warned_days = models.PositiveSmallIntegerField(null=True)
    """With how many days left its owners were told last."""

    def __str__(self) -> str:
        return f"{self.application}/{self.prefix}"

    @property
    def is_live(self) -> bool:
        """Whether it opens anything, as far as it alone is asked."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())

    @property
    def is_ending(self) -> bool:
        """Whether another one was made in its place, so that it ends by itself."""
        return self.is_live and any(one.is_live for one in self.replaced_by.all())


class Plan(models.Model):
    """What an application gets when it subscribes: APIs, scopes and limits."""

    name = models.CharField(max_length=NAME_CHARACTERS, unique=True)
    title = models.CharField(max_length=120)
    description = models.CharField(max_length=2_000, blank=True)
    apis = models.JSONField()
    """The names of the APIs that it is for."""
    scopes = models.JSONField()
    """What a credential may do."""
    rate_limit = models.PositiveIntegerField(null=True)
    rate_per = models.CharField(max_length=16, blank=True)
    quota = models.PositiveIntegerField(null=True)
    quota_per = models.CharField(max_length=16, blank=True)
    needs_approval = models.BooleanField(default=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="plans"
    )
    """Who decides about requests; anybody who may, when there is none."""
    is_open = models.BooleanField(default=True)
    """Whether it can be subscribed to; those who did keep it when it closes."""
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name

    @property
    def role(self) -> str:
        """The role by which policies of the document know who is on this plan."""
        return f"plan:{self.name}"


class Subscription(models.Model):
    """An application on a plan, or its request to be."""

    class State(models.TextChoices):
        """How far it has come."""

        REQUESTED = "requested"
        ACTIVE = "active"
        REFUSED = "refused"
        ENDED = "ended"

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="subscriptions")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="subscriptions")
    state = models.CharField(max_length=16, choices=State.choices, db_index=True)
    reason = models.CharField(max_length=2_000, blank=True)
    """What for, in the words of those who asked."""
    asked_by = models.CharField(max_length=254)
    asked_at = models.DateTimeField(default=timezone.now)
    decided_by = models.CharField(max_length=254, blank=True)
    decided_at = models.DateTimeField(null=True)
    answer = models.CharField(max_length=2_000, blank=True)
    """What those who decided said to it."""
    ended_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.application} on {self.plan}"


class Delivery(models.Model):
    """Something that the node must be told, written in the transaction of what it tells."""

    class Kind(models.TextChoices):
        """What is told."""

        PUBLISH = "publish"
        REVOKE = "revoke"

    kind = models.CharField(max_length=16, choices=Kind.choices)
    what = models.CharField(max_length=128, blank=True)
    """The SHA-256 of what is revoked."""
    created_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=1_000, blank=True)
    """Why the last attempt failed."""
    done_at = models.DateTimeField(null=True, db_index=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.what[:12]}".strip()


class Directory(models.Model):
    """One row: what the node was told last."""

    sequence = models.BigIntegerField(default=0)
    intended = models.BigIntegerField(default=0)
    """A sequence that was about to be told: after a crash, it is known to be ours."""
    mirrored = models.JSONField(default=list)
    """The names of the document's own applications that stand in the directory with ours."""
    follows_document = models.BooleanField(default=True)
    """Whether the document's applications stand in it, too; not once a person published one by hand."""
    published = models.JSONField(default=list)
    """The names of ours that were told."""
    published_at = models.DateTimeField(null=True)
    taken = models.JSONField(default=list)
    """Names of ours that somebody else has in the document or the directory, so that theirs stands."""

    def __str__(self) -> str:
        return f"directory {self.sequence}"


class TokenKey(models.Model):
    """A key that signs access tokens; its private half is encrypted with the secret of the installation."""

    kid = models.CharField(max_length=64, unique=True)
    private = models.TextField()
    public = models.JSONField()
    """The public half as a JSON Web Key (RFC 7517)."""
    created_at = models.DateTimeField(default=timezone.now)
    signs_from = models.DateTimeField()

    def __str__(self) -> str:
        return self.kid


class UsageRead(models.Model):
    """How far a recording was read for when keys were last used, a row for each node."""

    node = models.CharField(max_length=64, default="", blank=True, unique=True)
    """As `events.models.Segment` has it: empty for the first node."""
    segment = models.CharField(max_length=64, blank=True)
    """The name of the last segment that was read whole."""

    def __str__(self) -> str:
        return self.segment


class KeyUse(models.Model):
    """When a key of the nodes' directory was last used, whoever answers for it."""

    sha256 = models.CharField(max_length=64, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.sha256[:12]
