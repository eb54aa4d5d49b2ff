"""One history of migrations, which makes what the models say."""

from __future__ import annotations

import os
import subprocess
import sys
from io import StringIO
from typing import TYPE_CHECKING

from django.core.management import call_command
from lockgate.control.secret import make_state

if TYPE_CHECKING:
    from pathlib import Path


def test_the_migrations_make_what_the_models_say() -> None:
    call_command("makemigrations", "--check", "--dry-run", stdout=StringIO())


def test_there_is_nothing_that_django_warns_of() -> None:
    call_command("check", fail_level="WARNING", stdout=StringIO(), stderr=StringIO())


def test_a_node_and_the_supervisor_do_not_load_the_control_plane() -> None:
    code = "import lockgate.node, lockgate.supervisor, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = loaded.stdout.split()
    assert "lockgate.node" in modules
    assert not {"django", "ninja", "uvicorn", "lockgate.control"} & set(modules)


OLDER = """
import django
django.setup()
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
call_command("migrate", verbosity=0)
before = [("events", "0002_progress"), ("analytics", "0002_layout"), ("access", "0001_initial")]
for app, migration in before:
    call_command("migrate", app, migration, verbosity=0)
old = MigrationExecutor(connection).loader.project_state(before).apps
many = {"number": 1, "first_at": 1, "last_at": 2, "events": 3, "damages": [], "is_whole": True}
old.get_model("events", "Segment").objects.create(name="events-1", **many)
old.get_model("analytics", "Taken").objects.create(segment="events-1", first_at=1, last_at=2, events=3)
old.get_model("access", "UsageRead").objects.create(pk=1, segment="events-1")
call_command("migrate", verbosity=0)
for app, model, field in (("events", "Segment", "name"), ("analytics", "Taken", "segment"),
                          ("access", "UsageRead", "segment")):
    rows = apps.get_model(app, model).objects
    # One of another node, though it is called the same.
    more = {"number": 1, "first_at": 1, "last_at": 2, "events": 3, "damages": [], "is_whole": True}
    fields = {one.name for one in rows.model._meta.fields}
    rows.create(node="paris-1", **{field: "events-1"}, **{k: v for k, v in more.items() if k in fields})
    print(*sorted(rows.values_list("node", field)))
"""


def test_what_was_read_before_there_were_recordings_of_several_nodes_is_of_the_first(tmp_path: Path) -> None:
    told = {"LOCKGATE_CONTROL_STATE": str(tmp_path), "DJANGO_SETTINGS_MODULE": "lockgate.control.settings"}
    environment = {name: value for name, value in os.environ.items() if name != "LOCKGATE_DATABASE"} | told
    make_state(tmp_path)
    ran = subprocess.run(
        [sys.executable, "-c", OLDER], capture_output=True, text=True, check=False, env=environment
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["('', 'events-1') ('paris-1', 'events-1')"] * 3
