"""The log begins, and the database itself refuses to change or delete an entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import migrations

from lockgate.audit.entry import FIRST

if TYPE_CHECKING:
    from django.apps.registry import Apps
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_SQLITE = """
CREATE TRIGGER audit_entry_no_update BEFORE UPDATE ON audit_entry
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END
--
CREATE TRIGGER audit_entry_no_delete BEFORE DELETE ON audit_entry
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END
"""
_POSTGRESQL = """
CREATE FUNCTION audit_entry_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$
--
CREATE TRIGGER audit_entry_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_append_only()
"""
_BACK = {
    "sqlite": ("DROP TRIGGER audit_entry_no_update", "DROP TRIGGER audit_entry_no_delete"),
    "postgresql": (
        "DROP TRIGGER audit_entry_no_change ON audit_entry",
        "DROP FUNCTION audit_entry_append_only()",
    ),
}


def forwards(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Begin the log, and guard it."""
    apps.get_model("audit", "Head").objects.create(pk=1, seq=0, sha256=FIRST)
    statements = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}[editor.connection.vendor]
    for statement in statements.split("--"):
        editor.execute(statement)


def backwards(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Take the guards away."""
    for statement in _BACK[editor.connection.vendor]:
        editor.execute(statement)
    apps.get_model("audit", "Head").objects.all().delete()


class Migration(migrations.Migration):
    """The beginning of the log."""

    dependencies: ClassVar = [("audit", "0001_initial")]
    operations: ClassVar = [migrations.RunPython(forwards, backwards)]
