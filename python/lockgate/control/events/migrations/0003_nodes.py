"""Segments and exceptions say at which node; those that are there are of the first one."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """A node's name, which is empty for the first node."""

    dependencies: ClassVar = [("events", "0002_progress")]
    operations: ClassVar = [
        migrations.AddField("segment", "node", models.CharField(max_length=64, default="", blank=True)),
        migrations.AddField("segment", "revision", models.CharField(max_length=64, default="", blank=True)),
        migrations.AlterField("segment", "name", models.CharField(max_length=64)),
        migrations.AddConstraint(
            "segment", models.UniqueConstraint(fields=["node", "name"], name="one_segment_of_a_node")
        ),
        migrations.AddIndex(
            "segment", models.Index(fields=["node", "first_at", "number"], name="segment_of_node")
        ),
        migrations.AddField("callexception", "node", models.CharField(max_length=64, default="", blank=True)),
        migrations.AddIndex(
            "callexception", models.Index(fields=["node", "-at", "-request"], name="exception_node")
        ),
    ]
