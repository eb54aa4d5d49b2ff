"""Parts say which version of the tables they have."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Those that are there have the first."""

    dependencies: ClassVar = [("analytics", "0001_initial")]
    operations: ClassVar = [
        migrations.AddField("part", "layout", models.PositiveSmallIntegerField(default=1)),
    ]
