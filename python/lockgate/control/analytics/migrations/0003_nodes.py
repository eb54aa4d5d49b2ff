"""It is known of which node a segment is that is in Parquet; those that are there are of the first one."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """A node's name, which is empty for the first node."""

    dependencies: ClassVar = [("analytics", "0002_layout")]
    operations: ClassVar = [
        migrations.AddField("taken", "node", models.CharField(max_length=64, default="", blank=True)),
        migrations.AlterField("taken", "segment", models.CharField(max_length=64)),
        migrations.AddConstraint(
            "taken", models.UniqueConstraint(fields=["node", "segment"], name="one_taken_of_a_node")
        ),
    ]
