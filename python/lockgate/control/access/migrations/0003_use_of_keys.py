"""It is known of every key when it was last used, and not only of those that the portal made."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Nothing is known of them until the next segment is read."""

    dependencies: ClassVar = [("access", "0002_usage_of_nodes")]
    operations: ClassVar = [
        migrations.CreateModel(
            "KeyUse",
            [
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sha256", models.CharField(max_length=64, unique=True)),
                ("at", models.DateTimeField()),
            ],
        ),
    ]
