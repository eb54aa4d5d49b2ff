"""The one row that whoever reads segments locks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import migrations

if TYPE_CHECKING:
    from django.apps.registry import Apps
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def forwards(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Make the row."""
    apps.get_model("events", "Progress").objects.create(pk=1, revision="", pruned_before=0)


def backwards(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Remove the row."""
    apps.get_model("events", "Progress").objects.all().delete()


class Migration(migrations.Migration):
    """The beginning of reading."""

    dependencies: ClassVar = [("events", "0001_initial")]
    operations: ClassVar = [migrations.RunPython(forwards, backwards)]
