"""The table of changes: what lists of them need. What a change is stands in its directory."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone


class Proposal(models.Model):
    """A change that somebody proposes."""

    class Stage(models.TextChoices):
        """How far a change has come."""

        DRAFT = "draft", "Draft"
        ROLLING = "rolling", "Rolling out"
        LIVE = "live", "Live"
        ROLLED_BACK = "rolled_back", "Rolled back"
        WITHDRAWN = "withdrawn", "Withdrawn"

    name = models.SlugField(max_length=64, unique=True)
    purpose = models.CharField(max_length=2_000)
    author = models.CharField(max_length=254)
    editors = models.JSONField(default=list)
    """Everybody who wrote a part of it; none of them approves it."""
    stage = models.CharField(max_length=16, choices=Stage.choices, default=Stage.DRAFT, db_index=True)
    says = models.CharField(max_length=2_000, blank=True)
    """How it ended."""
    created_at = models.DateTimeField(default=timezone.now)
    begin_at = models.DateTimeField(null=True, db_index=True)
    """When it is to be rolled out by itself."""
    begin_by = models.CharField(max_length=254, blank=True)
    began_at = models.DateTimeField(null=True)
    began_by = models.CharField(max_length=254, blank=True)
    break_glass = models.CharField(max_length=2_000, blank=True)
    """Why the glass was broken, when it was."""
    rollout = models.CharField(max_length=64, blank=True)
    """The node's id of its rollout."""
    source = models.CharField(max_length=64, blank=True)
    """The Git commit that it is, when it is one; then it is edited there."""
    base = models.CharField(max_length=64, blank=True)
    candidate = models.CharField(max_length=64, blank=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """The newest first."""

        ordering: ClassVar = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_of_feed(self) -> bool:
        """Whether a feed wrote it."""
        return self.author.startswith("feed:")

    @property
    def is_open(self) -> bool:
        """Whether it can still be edited, approved and rolled out."""
        return self.stage in {self.Stage.DRAFT, self.Stage.ROLLED_BACK}

    @property
    def runs(self) -> bool:
        """Whether the node rolls it out now."""
        return self.stage == self.Stage.ROLLING
