"""Tables of feeds, of who agreed to them in advance, and of what they brought."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from lockgate.signing import canonical, sha256


class Feed(models.Model):
    """A signed list that is fetched again and again."""

    class Kind(models.TextChoices):
        """What it may carry."""

        NETWORKS = "networks", "Networks whose callers are refused"
        RULES = "rules", "Rules that can only refuse"

    class Mode(models.TextChoices):
        """What its policies do."""

        SHADOW = "shadow", "Say whom they would refuse (shadow)"
        ENFORCE = "enforce", "Refuse (enforce)"

    name = models.SlugField(max_length=40, unique=True)
    source = models.CharField(max_length=500)
    """A URL, or a path below the folder of feeds."""
    public_key = models.TextField()
    """Ed25519, PEM. Another key is another feed."""
    kind = models.CharField(max_length=16, choices=Kind.choices)
    owner = models.CharField(max_length=254)
    """Who answers for it here."""
    mode = models.CharField(max_length=16, choices=Mode.choices, default=Mode.SHADOW)
    at_most = models.PositiveIntegerField(default=0)
    """How many calls that were answered may be refused by what goes live by itself."""
    at_least = models.PositiveIntegerField(default=1_000)
    """How many recorded calls a replay must have judged before something goes live by itself."""
    every_minutes = models.PositiveIntegerField(default=60)
    is_automatic = models.BooleanField(default=False)
    """Whether something goes live by itself at all."""
    is_on = models.BooleanField(default=True)
    set_by = models.CharField(max_length=254)
    """Who said all this last."""
    created_at = models.DateTimeField(default=timezone.now)

    sequence = models.BigIntegerField(default=0)
    """The highest that was taken."""
    digest = models.CharField(max_length=64, blank=True)
    """The hash of that manifest."""
    expires_at = models.DateTimeField(null=True)
    """When that manifest expires: by then there must be another one."""
    fetched_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(default=timezone.now, db_index=True)
    is_failing = models.BooleanField(default=False)
    says = models.CharField(max_length=2_000, blank=True)
    """How the last look at it ended."""
    change = models.CharField(max_length=64, blank=True)
    """The change that it made last."""
    proposed = models.CharField(max_length=64, blank=True)
    """The hash of what that change is made of, so that the same is proposed once."""
    is_decided = models.BooleanField(default=True)
    """Whether it was decided if that change goes live by itself."""
    waits = models.CharField(max_length=2_000, blank=True)
    """Why that change waits for a person."""

    def __str__(self) -> str:
        return self.name

    @property
    def who(self) -> str:
        """The author of its changes, as a service account of its own."""
        return f"feed:{self.name}"

    @property
    def terms(self) -> str:
        """The hash of what people agree to in advance; any of it is another now, and nobody has agreed."""
        said = [self.source, self.public_key, self.kind, self.mode, self.at_most, self.at_least]
        return sha256(canonical([*said, self.is_automatic, self.set_by]))


class Consent(models.Model):
    """Somebody who approves in advance what a feed brings within its bounds."""

    feed = models.ForeignKey(Feed, on_delete=models.CASCADE, related_name="consents")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="consents")
    terms = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Once for each person."""

        constraints: ClassVar = [models.UniqueConstraint(fields=["feed", "user"], name="one_consent")]

    def __str__(self) -> str:
        return f"{self.user} to {self.feed}"


class Fetch(models.Model):
    """A look at a feed that brought something, or was refused."""

    feed = models.ForeignKey(Feed, on_delete=models.CASCADE, related_name="fetches")
    at = models.DateTimeField(default=timezone.now)
    sequence = models.BigIntegerField(null=True)
    is_refused = models.BooleanField(default=False)
    says = models.CharField(max_length=2_000)
    change = models.CharField(max_length=64, blank=True)
    added = models.JSONField(default=list)
    """What came into its policies, as far as it is shown."""
    removed = models.JSONField(default=list)

    class Meta:
        """The newest first."""

        ordering: ClassVar = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.feed} {self.sequence}"
