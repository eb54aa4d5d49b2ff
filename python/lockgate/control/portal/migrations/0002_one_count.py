"""Calls are counted once, by analytics."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    """What the portal counted for itself is in the recording, and counted from there."""

    dependencies: ClassVar = [("portal", "0001_initial")]
    operations: ClassVar = [migrations.DeleteModel("Counted"), migrations.DeleteModel("Usage")]
