"""H18, for the console's own log: who can write its database cannot change what happened unseen."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from control.serving import Serving, document
from services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Run


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Path]:
    with Service() as service:
        yield document(tmp_path, service.url)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE audit_entry SET who = 'eve@example.com' WHERE seq = 1", "entry 1 says that its hash is"),
        ("DELETE FROM audit_entry WHERE seq = 2", "entry 2 is not there"),
        ("DELETE FROM audit_entry WHERE seq = (SELECT max(seq) FROM audit_entry)", "and the log knows of"),
    ],
    ids=["edited", "removed", "cut off"],
)
def test_a_row_that_was_changed_behind_the_console_is_found_by_it_and_offline(
    gateway: Path, run: Run, change: str, found: str
) -> None:
    path = gateway.parent / "lockgate-state" / "control.sqlite3"
    with Serving(gateway) as serving:
        browser = serving.first_account()
        browser.send("/users/", {"email": "bob@example.com", "role": "developer"})
        assert "entries hold" in browser.get("/audit/?verify=1").text
        checkpoint = browser.get("/api/v1/audit/checkpoint").json()
        with sqlite3.connect(path) as rows:
            with pytest.raises(sqlite3.DatabaseError):
                rows.execute(change)
            # Whoever can write the file can take the guards away, too.
            triggers = rows.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for (name,) in triggers:
                rows.execute(f'DROP TRIGGER "{name}"')
            rows.execute(change)
        assert found in browser.get("/audit/?verify=1").text.replace("&#x27;", "'")
        export = gateway.parent / "audit.jsonl"
        export.write_bytes(browser.get("/api/v1/audit/export").content)
    for name, text in (
        ("checkpoint.json", _json(checkpoint["checkpoint"])),
        ("key.pub", checkpoint["public_key"]),
    ):
        (gateway.parent / name).write_text(text)
    against = ("--checkpoint", gateway.parent / "checkpoint.json", "--key", gateway.parent / "key.pub")
    assert run("audit", "verify", export, *against).returncode != 0


def _json(said: object) -> str:
    import json  # noqa: PLC0415

    return json.dumps(said)
