"""One history of migrations, which makes what the models say."""

from __future__ import annotations

import subprocess
import sys
from io import StringIO

from django.core.management import call_command


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
