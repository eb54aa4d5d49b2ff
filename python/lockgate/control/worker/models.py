"""The table of jobs."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone


class Job(models.Model):
    """Work that takes longer than a page may: asked for by a page or the API, done by a worker."""

    class State(models.TextChoices):
        """How far a job is."""

        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    kind = models.CharField(max_length=64)
    subject = models.CharField(max_length=200, blank=True)
    """What it is about; of one kind, one job at a time is about it."""
    input = models.JSONField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    progress = models.FloatField(default=0.0)
    """From 0 to 1, as far as it is known."""
    now = models.CharField(max_length=300, blank=True)
    """What is done now."""
    result = models.JSONField(null=True)
    error = models.TextField(blank=True)
    """Why it failed, in a sentence."""
    asked_by = models.CharField(max_length=254)
    asked_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    worker = models.CharField(max_length=64, blank=True)
    """Whose it is; nobody else writes to this row meanwhile."""
    beat_at = models.DateTimeField(null=True)
    """When that worker last said that it lives."""
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        """How jobs are looked for, and that two pages that ask at once get one job."""

        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "subject"],
                condition=models.Q(state__in=("waiting", "running")) & ~models.Q(subject=""),
                name="one_open_job",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["state", "id"], name="job_state"),
            models.Index(fields=["kind", "subject", "-id"], name="job_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def is_open(self) -> bool:
        """Whether something is still to be expected of it."""
        return self.state in {self.State.WAITING, self.State.RUNNING}

    @property
    def percent(self) -> int:
        """Its progress in whole percent."""
        return round(100 * self.progress)
