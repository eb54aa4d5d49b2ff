"""Tables of messages, notifications, channels, deliveries and preferences."""

from __future__ import annotations

import secrets

from django.db import models
from django.utils import timezone

from lockgate.control.accounts.models import User


def new_id() -> str:
    """An id of a delivery."""
    return f"msg_{secrets.token_hex(16)}"


class Message(models.Model):
    """An event as it is told."""

    kind = models.CharField(max_length=64)
    topic = models.CharField(max_length=16)
    title = models.CharField(max_length=200)
    text = models.TextField()
    link = models.CharField(max_length=500)
    data = models.JSONField(default=dict)
    key = models.CharField(max_length=200, blank=True)
    severity = models.CharField(max_length=8)
    resolves = models.BooleanField(default=False)
    times = models.PositiveIntegerField(default=1)
    """How often it came, where it has a key."""
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        """How it is looked for."""

        indexes = (models.Index(fields=("kind", "key", "at"), name="notify_message_key"),)

    def __str__(self) -> str:
        return f"{self.kind}: {self.title}"


class Notification(models.Model):
    """A message as a person sees it in the portal."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notifications")
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="notifications")
    read_at = models.DateTimeField(null=True)

    class Meta:
        """A person is told of a message once."""

        constraints = (models.UniqueConstraint(fields=("user", "message"), name="notify_once"),)
        indexes = (models.Index(fields=("user", "read_at"), name="notify_unread"),)

    def __str__(self) -> str:
        return f"{self.message} for {self.user}"


class Preference(models.Model):
    """How a person wants to learn of a topic, where it is not the topic's own way."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="preferences")
    topic = models.CharField(max_length=16)
    portal = models.BooleanField(default=True)
    mail = models.BooleanField(default=True)

    class Meta:
        """One of each."""

        constraints = (models.UniqueConstraint(fields=("user", "topic"), name="notify_one_preference"),)

    def __str__(self) -> str:
        return f"{self.topic} for {self.user}"


class Channel(models.Model):
    """Where deliveries go to: a person's webhook, or something of those who run the gateway."""

    class Kind(models.TextChoices):
        """What it speaks."""

        WEBHOOK = "webhook", "Webhook"
        SLACK = "slack", "Slack"
        PAGERDUTY = "pagerduty", "PagerDuty"
        ALERTMANAGER = "alertmanager", "Alertmanager"

    owner = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="channels")
    """Nobody when it is the installation's."""
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    topics = models.JSONField()
    url = models.CharField(max_length=500)
    """Without what is secret about it; that is in `sealed`."""
    sealed = models.TextField()
    """The address and the secrets, encrypted."""
    created_at = models.DateTimeField(default=timezone.now)
    failing_since = models.DateTimeField(null=True)
    """Since when nothing was delivered."""
    rests_until = models.DateTimeField(null=True)
    """When it is tried again after it failed: a slow one must not hold the others up."""
    disabled_at = models.DateTimeField(null=True)
    disabled_why = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.name}"


class Delivery(models.Model):
    """A message on its way to one channel, or to one person's e-mail address."""

    class State(models.TextChoices):
        """How far it came."""

        WAITING = "waiting"
        DELIVERED = "delivered"
        FAILED = "failed"

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.ForeignKey(Channel, null=True, on_delete=models.CASCADE, related_name="deliveries")
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="mails")
    public_id = models.CharField(max_length=40, default=new_id)
    """What the other side tells repeated attempts by."""
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)
    """When it is tried; while somebody tries it, when others may."""
    result = models.CharField(max_length=300, blank=True)
    """What the last attempt came to."""
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """How it is looked for."""

        indexes = (models.Index(fields=("state", "next_at"), name="notify_due"),)

    def __str__(self) -> str:
        return f"{self.message} to {self.channel or self.user}"
