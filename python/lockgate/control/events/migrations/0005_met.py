"""Which revisions callers met lately, so that each is told once; and exceptions by the ids of their calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import migrations, models

if TYPE_CHECKING:
    from django.apps.registry import Apps
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def forwards(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """What was told of last was met, whenever that was."""
    for progress in apps.get_model("events", "Progress").objects.exclude(revision=""):
        progress.met = {progress.revision: 0}
        progress.save()


class Migration(migrations.Migration):
    """A column and an index more."""

    dependencies: ClassVar = [("events", "0004_rules")]
    operations: ClassVar = [
        migrations.AddField(model_name="progress", name="met", field=models.JSONField(default=dict)),
        migrations.RunPython(forwards, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="callexception", index=models.Index(fields=["request"], name="exception_request")
        ),
    ]
