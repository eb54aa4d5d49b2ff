"""The catalogue of the Parquet files: which are there, and which segments of the recording are in them.

A file counts when its part is `LIVE`, which happens in the one transaction that also says which segments
it holds. So whatever dies between two steps leaves a segment that is still to be read, or one that is in,
and never one that is in twice.
"""

from __future__ import annotations

from typing import ClassVar, Final

from django.db import models

WRITING: Final = "writing"
LIVE: Final = "live"
RETIRED: Final = "retired"


class Part(models.Model):
    """One file of each table, with the events of one segment or of several in a row."""

    name = models.CharField(max_length=64, unique=True)
    day = models.DateField(db_index=True)
    """The partition: the UTC day of the first event."""
    state = models.CharField(max_length=8, default=WRITING, db_index=True)
    """`writing` until it counts, `live` while it does, `retired` until its files are removed."""
    first_at = models.BigIntegerField(default=0)
    """Microseconds, as all times of events."""
    last_at = models.BigIntegerField(default=0)
    events = models.BigIntegerField(default=0)
    layout = models.PositiveSmallIntegerField(default=1)
    """Which version of the tables its files have: older ones lack some."""
    since = models.BigIntegerField()
    """When it came to its state, in seconds."""
    server = models.CharField(max_length=32, default="", blank=True)
    """The table of the ClickHouse server that it was sent to, or begun to be: it may be there or not."""
    is_sent = models.BooleanField(default=False)
    """Whether it is there for sure, all of it."""

    class Meta:
        """Queries look for what overlaps a span."""

        indexes: ClassVar = [models.Index(fields=["state", "last_at", "first_at"], name="part_span")]

    def __str__(self) -> str:
        return self.name


class Taken(models.Model):
    """A sealed segment that was read, once and whole; or one that cannot be read."""

    node = models.CharField(max_length=64, default="", blank=True)
    """As `events.models.Segment` has it."""
    segment = models.CharField(max_length=64)
    part = models.ForeignKey(Part, models.PROTECT, null=True, related_name="segments")
    """Where its events are; nothing when it could not be read, or they are older than what is kept."""
    first_at = models.BigIntegerField(db_index=True)
    last_at = models.BigIntegerField()
    events = models.BigIntegerField()
    problem = models.CharField(max_length=500, default="", blank=True)
    """Why its events are missing here."""

    class Meta:
        """Two nodes may have begun a segment in one moment."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["node", "segment"], name="one_taken_of_a_node")
        ]

    def __str__(self) -> str:
        return self.segment


class Watched(models.Model):
    """One row, which whoever looks for what is unusual locks; with how far that went."""

    bucket = models.BigIntegerField(default=0)
    """The last five minutes that were looked at, in seconds."""

    def __str__(self) -> str:
        return str(self.bucket)
