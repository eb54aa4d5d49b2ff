"""The tables of nodes, of what they are to serve, and of whose turn it is to take that."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone


class Node(models.Model):
    """A node. The first one is the node beside this control plane: it meets every change before others do."""

    name = models.CharField(max_length=64, unique=True)
    is_first = models.BooleanField(default=False)
    key_id = models.CharField(max_length=32, db_index=True, blank=True)
    public_key = models.CharField(max_length=64, blank=True)
    """32 bytes in base64; the first one has none, as it is told through its state folder."""
    enrolled_at = models.DateTimeField(default=timezone.now)
    enrolled_by = models.CharField(max_length=254, blank=True)
    """Who made the token."""
    removed_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    address = models.CharField(max_length=45, blank=True)
    version = models.CharField(max_length=64, blank=True)
    started = models.FloatField(default=0.0)
    """When its process started, as it says."""
    revision = models.CharField(max_length=64, blank=True)
    generation = models.BigIntegerField(null=True)
    """Of the cluster; the first node has numbers of its own."""
    stage = models.CharField(max_length=16, blank=True)
    directory = models.BigIntegerField(default=0)
    counts = models.JSONField(default=dict)
    """As `lockgate.cluster.wire.Counts`."""
    refused = models.JSONField(default=list)
    """As `lockgate.cluster.wire.Refused`: what it did not take, and why."""
    recorded = models.JSONField(default=dict)
    """As `lockgate.cluster.wire.Recorded`: what it has not pushed yet; nothing when it records nothing."""

    def __str__(self) -> str:
        return self.name


class Token(models.Model):
    """A one-time token that enrols a node: only its hash is kept."""

    sha256 = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=64)
    made_by = models.CharField(max_length=254)
    made_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    used_by = models.ForeignKey(Node, null=True, on_delete=models.SET_NULL, related_name="tokens")

    def __str__(self) -> str:
        return f"token for {self.name}"


class Publication(models.Model):
    """Something that all nodes are to serve, one after the other."""

    class Kind(models.TextChoices):
        """What it is."""

        REVISION = "revision"
        DIRECTORY = "directory"

    class State(models.TextChoices):
        """How far it is."""

        ROLLING = "rolling"
        DONE = "done"
        STOPPED = "stopped"
        """It goes no further; nodes that took it and are well keep it."""
        WITHDRAWN = "withdrawn"
        """Nodes that took it go back from it."""
        OVERTAKEN = "overtaken"
        """A newer one took its place before it was everywhere."""

    kind = models.CharField(max_length=16, choices=Kind.choices)
    number = models.BigIntegerField()
    """Only grows, so that no node takes an older one (F15)."""
    content = models.CharField(max_length=64)
    """The id of the revision, or the SHA-256 of the applications."""
    payload = models.TextField()
    """What nodes get: a signed bundle, or applications. Old ones are emptied."""
    again = models.BooleanField(default=False)
    """Whether nodes take it though they went back from it before: a person wants it."""
    restores = models.BooleanField(default=False)
    """Whether it brings back what served before one that was withdrawn."""
    state = models.CharField(max_length=16, choices=State.choices, default=State.ROLLING)
    why = models.TextField(blank=True)
    """Why it was stopped, in a sentence."""
    made_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """No two have one number."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "number"], name="one_publication_of_a_number")
        ]
        indexes: ClassVar = [models.Index(fields=["kind", "state", "-number"], name="publication_state")]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


class Turn(models.Model):
    """A node's turn to take a publication."""

    publication = models.ForeignKey(Publication, on_delete=models.CASCADE, related_name="turns")
    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="turns")
    given_at = models.DateTimeField(default=timezone.now)
    took_at = models.DateTimeField(null=True)
    at_taking = models.JSONField(default=dict)
    """The counts when it was first seen to serve it, and when its process had started; `before`, the same
    of when it had its turn. Of a directory at the first node: `since` when it may have it, in microseconds,
    and the `grants` that applications have lost by it."""
    healthy_at = models.DateTimeField(null=True)
    """When it had served it long enough without harm."""

    class Meta:
        """A node has one turn."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["publication", "node"], name="one_turn_of_a_node")
        ]

    def __str__(self) -> str:
        return f"{self.node_id} takes {self.publication_id}"
