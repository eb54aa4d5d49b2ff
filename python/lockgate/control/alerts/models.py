"""Tables of alerts and of what was done about them."""

from __future__ import annotations

from typing import ClassVar, Final

from django.db import models

OPEN: Final = "open"
ACKNOWLEDGED: Final = "acknowledged"
RESOLVED: Final = "resolved"
STATUSES: Final = (OPEN, ACKNOWLEDGED, RESOLVED)
SEVERITIES: Final = ("info", "warning", "critical")


class Alert(models.Model):
    """A rule that fired about something. Until it is resolved, whatever fires again belongs to it."""

    fingerprint = models.CharField(max_length=64, db_index=True)
    """The SHA-256 of rule and subject: the same each time this happens."""
    unresolved = models.CharField(max_length=64, unique=True, null=True)
    """The fingerprint while it is not resolved, so that there is one such alert at a time."""
    rule = models.CharField(max_length=64)
    subject = models.CharField(max_length=320)
    """What it is about: a sort and a name, such as `source:192.0.2.7` or `api:orders`."""
    title = models.CharField(max_length=200)
    severity = models.CharField(max_length=16)
    status = models.CharField(max_length=16, default=OPEN)
    count = models.BigIntegerField(default=0)
    """How many calls, or other events, it is made of."""
    repeats = models.PositiveIntegerField(default=0)
    """How often the rule fired again while it was not resolved."""
    first_at = models.BigIntegerField()
    """Microseconds, as all times of events."""
    last_at = models.BigIntegerField()
    raised_at = models.BigIntegerField()
    """When it was raised; the first event came before."""
    evidence = models.JSONField(default=dict)
    baseline = models.JSONField(default=dict)
    """What is usual, as far as the rule knows."""
    status_by = models.CharField(max_length=254, default="", blank=True)
    """Who acknowledged or resolved it; empty when nobody did, or it resolved by itself."""
    status_at = models.BigIntegerField(default=0)
    status_why = models.CharField(max_length=2_000, default="", blank=True)

    class Meta:
        """Those that want somebody are looked at first, newest first."""

        indexes: ClassVar = [
            models.Index(fields=["-last_at", "-id"], name="alert_last"),
            models.Index(fields=["status", "-last_at", "-id"], name="alert_status"),
        ]

    def __str__(self) -> str:
        return f"{self.title}: {self.subject}"

    @property
    def sort(self) -> str:
        """What sort of thing it is about."""
        return self.subject.partition(":")[0]

    @property
    def name(self) -> str:
        """The name of what it is about."""
        return self.subject.partition(":")[2]


class AlertApplication(models.Model):
    """An application whose calls an alert is made of."""

    alert = models.ForeignKey(Alert, models.CASCADE, related_name="applications")
    application = models.CharField(max_length=128, db_index=True)
    count = models.BigIntegerField(default=0)

    class Meta:
        """One row for each."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["alert", "application"], name="one_application_of_alert")
        ]

    def __str__(self) -> str:
        return self.application


class RuleSetting(models.Model):
    """What somebody chose for a rule in place of what is usual."""

    rule = models.CharField(max_length=64, unique=True)
    is_on = models.BooleanField(default=True)
    threshold = models.PositiveIntegerField()
    window_seconds = models.PositiveIntegerField()
    quiet_seconds = models.PositiveIntegerField()

    def __str__(self) -> str:
        return self.rule


class Block(models.Model):
    """Something that the gateway refuses or slows down for a time, as somebody ordered here."""

    target = models.CharField(max_length=128)
    """An address or network, an application, or the SHA-256 of a credential."""
    sort = models.CharField(max_length=16)
    per_minute = models.PositiveIntegerField(null=True)
    """How many calls are still let through; none when it is blocked."""
    alert = models.ForeignKey(Alert, models.SET_NULL, null=True, related_name="blocks")
    who = models.CharField(max_length=254)
    why = models.CharField(max_length=500)
    since = models.BigIntegerField()
    until = models.BigIntegerField(db_index=True)
    preview = models.JSONField(default=dict)
    """What it would have refused in the day before, as whoever ordered it was told."""
    ended_at = models.BigIntegerField(null=True, db_index=True)
    ended_by = models.CharField(max_length=254, default="", blank=True)
    """Who lifted it; empty when its time was over."""

    def __str__(self) -> str:
        return self.target


class Reading(models.Model):
    """One row, which whoever looks for alerts locks; with how far recordings were read."""

    segment = models.CharField(max_length=64, default="", blank=True)
    events = models.BigIntegerField(default=0)
    """How many events of that segment of the first node were read."""
    others = models.JSONField(default=dict)
    """The same of other nodes: by the name of each, a segment and how many events of it."""
    at = models.BigIntegerField(default=0)
    """The latest event that was read."""
    node = models.JSONField(default=dict)
    """What was last seen of the node, to tell what is new."""

    def __str__(self) -> str:
        return f"{self.segment}:{self.events}"
