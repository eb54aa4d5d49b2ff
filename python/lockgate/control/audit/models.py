"""The audit log's tables. Triggers of the database refuse to change or delete an entry."""

from __future__ import annotations

from django.db import models

from lockgate.audit import AuditEntry


class Entry(models.Model):
    """One link of the chain, field by field as `lockgate.audit.AuditEntry` has them."""

    seq = models.BigIntegerField(primary_key=True)
    at = models.CharField(max_length=32, db_index=True)
    who = models.CharField(max_length=254)
    user = models.CharField(max_length=64)
    host = models.CharField(max_length=255)
    action = models.CharField(max_length=64, db_index=True)
    object = models.CharField(max_length=512)
    before = models.TextField(null=True)
    after = models.TextField(null=True)
    why = models.TextField(null=True)
    evidence = models.JSONField()
    details = models.JSONField()
    previous = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.seq} {self.action}"

    @property
    def entry(self) -> AuditEntry:
        """The entry that this row holds, whether its hash fits or not."""
        fields = {name: getattr(self, name) for name in AuditEntry.model_fields if name != "v"}
        return AuditEntry.model_construct(v=1, **fields)


class Head(models.Model):
    """How long the log is and how it ends: one row, which writers lock so that entries come one by one."""

    seq = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.seq} {self.sha256[:12]}"
