"""The whole suite of the control plane on a real PostgreSQL, and what only two writers at once can show."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from control.beside import BESIDE
from control.people import PASSWORD
from control.serving import Browser, Serving, document
from postgresql import MISSING, fresh, programs, server
from services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
WRITER = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "lockgate.control.settings"
import django
django.setup()
from django.db import transaction
from lockgate.control.audit.services import Actor, record, verify
for number in range(int(os.environ["ENTRIES"])):
    with transaction.atomic():
        record(Actor("ada@example.com", ""), "account.changed", f"account {number}")
found = verify()
assert found.whole, found
print(found)
"""
MIGRATE = [sys.executable, "-m", "django", "migrate", "--verbosity=0"]
needs_postgresql = pytest.mark.skipif(programs() is None, reason=MISSING)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    # Not below the folder of pytest, which other accounts cannot enter.
    with tempfile.TemporaryDirectory(prefix="lockgate-postgresql-") as folder:
        Path(folder).chmod(0o711)
        with server(Path(folder) / "server") as url:
            yield url


# Those start processes of their own, which have a test below; a browser sees no database.
APART = ("*serve.py", "*scene.py", "test_recovery_command.py", "*browser.py", Path(__file__).name)
WITHOUT = [path for name in APART for path in HERE.rglob(name) if "test_" in path.name]


@needs_postgresql
@pytest.mark.slow
def test_the_suite_passes_on_postgresql(request: pytest.FixtureRequest) -> None:
    """It began when the tests began (`conftest.py`), and this test comes last."""
    code, said = request.config.stash[BESIDE].wait()
    assert code == 0, said
    assert " passed" in said


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=[needs_postgresql])])
def test_entries_that_are_written_at_once_come_one_by_one(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    environment = {
        **os.environ,
        "LOCKGATE_CONTROL_STATE": str(tmp_path / "state"),
        "DJANGO_SETTINGS_MODULE": "lockgate.control.settings",
        "LOCKGATE_DATABASE": fresh(request.getfixturevalue("database")) if kind == "postgresql" else "",
        "ENTRIES": "20",
    }
    subprocess.run(MIGRATE, env=environment, check=True)
    writer = [sys.executable, "-c", WRITER]
    writers = [subprocess.Popen(writer, env=environment) for _ in range(3)]
    assert [one.wait() for one in writers] == [0, 0, 0]
    verified = subprocess.run(
        writer, env=environment | {"ENTRIES": "0"}, capture_output=True, text=True, check=True
    )
    assert "entries=60" in verified.stdout
    assert "fault=None" in verified.stdout


@needs_postgresql
def test_serve_keeps_its_accounts_in_postgresql(database: str, tmp_path: Path) -> None:
    with Service() as service:
        gateway = document(tmp_path, service.url)
        options = ["--database", fresh(database)]
        with Serving(gateway, *options) as serving:
            serving.first_account()
            assert serving.stop() == 0
        assert not list((gateway.parent / "lockgate-state").glob("*.sqlite3"))
        with Serving(gateway, *options) as serving:
            browser = Browser(serving.console)
            browser.send("/account/login/", {"login": "ada@example.com", "password": PASSWORD})
            assert "ada@example.com" in browser.get("/").text
