"""Nodes say what they have recorded and not pushed yet."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Nothing is known of those that are there until they are heard of again."""

    dependencies: ClassVar = [("nodes", "0001_initial")]
    operations: ClassVar = [migrations.AddField("node", "recorded", models.JSONField(default=dict))]
