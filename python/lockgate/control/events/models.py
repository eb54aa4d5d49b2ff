"""Tables of what recordings were rolled up into."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

BUCKET_SECONDS = 300


class Segment(models.Model):
    """A sealed segment of a node's recording that was read, once and whole."""

    node = models.CharField(max_length=64, default="", blank=True)
    """As `recordings.Recording` has it: empty for the first node."""
    name = models.CharField(max_length=64)
    number = models.BigIntegerField()
    """The node's, one more for each segment."""
    first_at = models.BigIntegerField(db_index=True)
    """Microseconds, as all times of events."""
    last_at = models.BigIntegerField()
    events = models.BigIntegerField()
    damages = models.JSONField()
    """What is not known of this time, a sentence each."""
    is_whole = models.BooleanField(db_index=True)
    """Whether there is none, as with nearly all."""
    missing_since = models.BigIntegerField(null=True)
    """When the segment before ended, if others were deleted in between before they were read."""
    missing = models.BigIntegerField(default=0)
    """How many."""
    revision = models.CharField(max_length=64, default="", blank=True)
    """What was served at its end."""

    class Meta:
        """Two nodes may have begun a segment in one moment."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["node", "name"], name="one_segment_of_a_node")
        ]
        indexes: ClassVar = [models.Index(fields=["node", "first_at", "number"], name="segment_of_node")]

    def __str__(self) -> str:
        return self.name


class Count(models.Model):
    """How many calls there were in five minutes, by API, application and reason."""

    bucket = models.BigIntegerField()
    """When the five minutes begin, in seconds."""
    api = models.CharField(max_length=128)
    application = models.CharField(max_length=128)
    code = models.CharField(max_length=64)
    """Why they were refused or failed; empty when they were answered."""
    count = models.BigIntegerField()

    class Meta:
        """One row for each combination."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["bucket", "api", "application", "code"], name="one_count")
        ]

    def __str__(self) -> str:
        return f"{self.count} of {self.bucket}"


class CallException(models.Model):
    """A call that a policy refused or a service failed."""

    at = models.BigIntegerField()
    request = models.CharField(max_length=64)
    """The id that the caller was told."""
    api = models.CharField(max_length=128)
    route = models.CharField(max_length=128)
    application = models.CharField(max_length=128)
    source = models.CharField(max_length=45)
    method = models.CharField(max_length=16)
    path = models.CharField(max_length=512)
    status = models.PositiveSmallIntegerField()
    code = models.CharField(max_length=64)
    rule = models.CharField(max_length=64, default="", db_default="")
    """The rule of the policy that refused it, when its settings hold rules."""
    alert = models.CharField(max_length=32)
    revision = models.CharField(max_length=64)
    node = models.CharField(max_length=64, default="", blank=True)
    """Where it was called, as `Segment` has it."""

    class Meta:
        """Newest first is how they are read."""

        indexes: ClassVar = [
            models.Index(fields=["-at", "-request"], name="exception_at"),
            models.Index(fields=["request"], name="exception_request"),
            *(
                models.Index(fields=[name, "-at", "-request"], name=f"exception_{name}")
                for name in ("alert", "code", "application", "source", "node")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.request} {self.code}"


class Progress(models.Model):
    """One row, which whoever reads segments locks; with what was last seen."""

    revision = models.CharField(max_length=64)
    """What the audit log told of last as served by the first node."""
    met = models.JSONField(default=dict)
    """Until when each revision was met by callers of the first node lately, in microseconds."""
    pruned_before = models.BigIntegerField()
    """Exceptions before this time, in microseconds, are not kept any more."""

    def __str__(self) -> str:
        return self.revision[:12]
