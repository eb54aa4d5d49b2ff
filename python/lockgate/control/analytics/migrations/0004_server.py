"""Parts say which ClickHouse server has them, too."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Those that are there are on none."""

    dependencies: ClassVar = [("analytics", "0003_nodes")]
    operations: ClassVar = [
        migrations.AddField("part", "server", models.CharField(max_length=32, default="", blank=True)),
        migrations.AddField("part", "is_sent", models.BooleanField(default=False)),
    ]
