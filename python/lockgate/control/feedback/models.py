"""Tables of threads, their posts and followers, and of ratings."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class Thread(models.Model):
    """Something that somebody reported, suggested or disputes."""

    class Kind(models.TextChoices):
        """What it is."""

        PROBLEM = "problem", "Problem"
        SUGGESTION = "suggestion", "Suggestion"
        DISPUTE = "dispute", "Disputed refusal"

    class State(models.TextChoices):
        """How it stands."""

        OPEN = "open", "waits for an answer"
        ANSWERED = "answered", "answered"
        PLANNED = "planned", "will be done"
        SOLVED = "solved", "solved"
        DECLINED = "declined", "declined"

    kind = models.CharField(max_length=16, choices=Kind.choices)
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN, db_index=True)
    title = models.CharField(max_length=160)
    api = models.CharField(max_length=128, blank=True, db_index=True)
    """The API that it is about; none when it is about the portal."""
    page = models.CharField(max_length=500, blank=True)
    """The path of the page on which it was written."""
    application = models.CharField(max_length=128, blank=True)
    """Whose calls it is about: then only its team and those who answer see it."""
    code = models.CharField(max_length=64, blank=True)
    """The refusal that is disputed."""
    facts = models.JSONField(default=dict)
    """What was known when it was written: counts, and samples of calls."""
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="threads"
    )
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for anything."""
        return self.state in {Thread.State.SOLVED, Thread.State.DECLINED}


class Post(models.Model):
    """Something that somebody wrote in a thread."""

    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="posts")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="posts"
    )
    text = models.TextField()
    is_answer = models.BooleanField(default=False)
    """Whether somebody wrote it who answers for APIs."""
    state = models.CharField(max_length=16, choices=Thread.State.choices, blank=True)
    """How the thread stands since then, where that changed."""
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        """As they were written."""

        ordering: ClassVar = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.author} in {self.thread}"


class Follower(models.Model):
    """A person who is told what happens in a thread."""

    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="followers")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="follows")

    class Meta:
        """A person is told once."""

        constraints: ClassVar = [models.UniqueConstraint(fields=["thread", "user"], name="one_follower")]

    def __str__(self) -> str:
        return f"{self.user} follows {self.thread}"


class Rating(models.Model):
    """Whether a page helped a person."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="ratings")
    page = models.CharField(max_length=500)
    api = models.CharField(max_length=128, blank=True, db_index=True)
    helped = models.BooleanField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        """A person says it once of a page, and may change it."""

        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "page"], name="one_rating")]
        indexes: ClassVar = [models.Index(fields=["page"], name="rating_page")]

    def __str__(self) -> str:
        return f"{self.page}: {'helped' if self.helped else 'did not help'}"
