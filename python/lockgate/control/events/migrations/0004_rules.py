"""Exceptions name the rule of the policy that refused them."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """A column more."""

    dependencies: ClassVar = [("events", "0003_nodes")]
    operations: ClassVar = [
        migrations.AddField(
            model_name="callexception",
            name="rule",
            field=models.CharField(db_default="", default="", max_length=64),
        ),
    ]
