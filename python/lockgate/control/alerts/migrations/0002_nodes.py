"""Alerts are looked for in the recordings of all nodes."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """How far that of each other node was read; nothing of them was, until now."""

    dependencies: ClassVar = [("alerts", "0001_initial")]
    operations: ClassVar = [migrations.AddField("reading", "others", models.JSONField(default=dict))]
