"""The portal's tables."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone


class Shelf(models.Model):
    """The catalogue of a revision, as it was when that was served last."""

    revision = models.CharField(max_length=64, unique=True)
    digest = models.CharField(max_length=64)
    content = models.BinaryField()
    """JSON, compressed by zlib."""
    served_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.revision[:12]


class Announcement(models.Model):
    """An entry of an API's changelog: what callers meet since then."""

    at = models.DateTimeField(default=timezone.now)
    api = models.CharField(max_length=128)
    version = models.CharField(max_length=128)
    revision = models.CharField(max_length=64)
    lines = models.JSONField()
    """Sentences in Markdown, each with whether callers may have to act."""

    class Meta:
        """Newest first is how they are read."""

        indexes: ClassVar = [models.Index(fields=["api", "-at"], name="announcement_api")]
        ordering: ClassVar = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.api} {self.version} {self.at:%Y-%m-%d}"

    @property
    def needs_action(self) -> bool:
        """Whether callers may have to act."""
        return any(line["breaks"] for line in self.lines)


class Notice(models.Model):
    """A change of policies that would have refused calls, told to those whose calls they were."""

    class State(models.TextChoices):
        """How far the change has come."""

        UPCOMING = "upcoming", "upcoming"
        LIVE = "live", "in force"
        WITHDRAWN = "withdrawn", "withdrawn"

    change = models.CharField(max_length=128, unique=True)
    """What names the change."""
    title = models.CharField(max_length=200)
    why = models.TextField(blank=True)
    effective_at = models.DateTimeField(null=True)
    """From when on it is meant to hold."""
    state = models.CharField(max_length=16, choices=State.choices, default=State.UPCOMING)
    published_by = models.CharField(max_length=254)
    published_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.change}: {self.title}"


class Effect(models.Model):
    """What a change would have done to the calls of one application, for one reason."""

    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="effects")
    application = models.CharField(max_length=128, db_index=True)
    api = models.CharField(max_length=128)
    route = models.CharField(max_length=256)
    code = models.CharField(max_length=64)
    calls = models.BigIntegerField()
    first_at = models.BigIntegerField()
    """In microseconds, as all times of events."""
    last_at = models.BigIntegerField()
    samples = models.JSONField(default=list)

    class Meta:
        """The most calls first."""

        ordering: ClassVar = ["-calls", "pk"]

    def __str__(self) -> str:
        return f"{self.calls} calls of {self.application}: {self.code}"
