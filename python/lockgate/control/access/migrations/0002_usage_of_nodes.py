"""When keys were last used is read in the recording of each node; until now, it was in the first node's."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import migrations, models

if TYPE_CHECKING:
    from django.apps.registry import Apps
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def forwards(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Give the row an id that the database has counted: it was made with one of its own."""
    rows = apps.get_model("access", "UsageRead").objects
    known = rows.filter(pk=1).first()
    if known is not None:
        known.delete()
        rows.create(segment=known.segment)


class Migration(migrations.Migration):
    """A row for each node."""

    dependencies: ClassVar = [("access", "0001_initial")]
    operations: ClassVar = [
        migrations.RunPython(forwards, migrations.RunPython.noop),
        migrations.AddField(
            "usageread", "node", models.CharField(max_length=64, default="", blank=True, unique=True)
        ),
    ]
