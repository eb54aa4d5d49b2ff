"""The portal's tables."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone


class Shelf(models.Model):
    """One row: the catalogue as it was last served. Whoever puts another one there locks it."""

    digest = models.CharField(max_length=64)
    revision = models.CharField(max_length=64)
    content = models.BinaryField()
    """JSON, compressed by zlib."""

    def __str__(self) -> str:
        return self.digest[:12]


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
