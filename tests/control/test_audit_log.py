"""The audit log in the database: append-only, chained, and one with the log that the command verifies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, connection, connections, transaction
from lockgate import audit as files
from lockgate.control.audit.models import Entry, Head
from lockgate.control.audit.services import Actor, export, page, record, verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Run

ADA = Actor("ada@example.com", "192.0.2.1")
ALLOWED = {
    "sqlite": ["DROP TRIGGER audit_entry_no_update", "DROP TRIGGER audit_entry_no_delete"],
    "postgresql": ["DROP TRIGGER audit_entry_no_change ON audit_entry"],
}


@pytest.fixture
def log() -> None:
    for number in range(1, 6):
        record(ADA, "account.changed", f"account {number}", before="role a", after="rôle b", why='a "\\ why')


def sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def as_owner_of_the_database(statement: str, *values: Any) -> None:
    """Somebody who may do everything takes the guards away first."""
    for guard in ALLOWED[connection.vendor]:
        sql(guard)
    sql(statement, *values)


@pytest.mark.usefixtures("log")
def test_a_log_that_nobody_touched_holds() -> None:
    found = verify()
    assert (found.whole, found.entries, found.last) == (True, 5, Entry.objects.get(seq=5).sha256)


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    "change",
    [
        lambda: Entry.objects.filter(seq=3).update(why="another"),
        lambda: Entry.objects.filter(seq=3).delete(),
    ],
)
def test_the_database_itself_refuses_to_change_or_delete_an_entry(change: Callable[[], object]) -> None:
    def try_it() -> None:
        with transaction.atomic():
            change()

    with pytest.raises(DatabaseError, match="append-only"):
        try_it()
    assert verify().whole


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("why", "another"),
        ("who", "eve@example.com"),
        ("at", "2020-01-01T00:00:00.000000Z"),
        ("before", None),
        ("details", json.dumps({"from": "192.0.2.66"})),
        ("sha256", "0" * 64),
        ("previous", "0" * 64),
    ],
)
def test_an_edit_behind_the_guards_is_detected(column: str, value: str | None) -> None:
    as_owner_of_the_database(f'UPDATE audit_entry SET "{column}" = %s WHERE seq = 3', value)  # noqa: S608
    found = verify()
    assert found.fault is not None
    assert (found.entries, found.fault.what, found.fault.line) == (2, "edited", 3)


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(("seq", "what"), [(1, "removed"), (3, "removed"), (5, "cut off")])
def test_a_row_that_was_deleted_behind_the_guards_is_detected(seq: int, what: str) -> None:
    as_owner_of_the_database("DELETE FROM audit_entry WHERE seq = %s", seq)
    found = verify()
    assert found.fault is not None
    assert found.fault.what == what


@pytest.mark.usefixtures("log")
def test_an_edit_that_writes_its_own_hash_is_detected_by_the_next_entry() -> None:
    entry = Entry.objects.get(seq=3).entry.model_copy(update={"why": "another"})
    as_owner_of_the_database(
        "UPDATE audit_entry SET why = %s, sha256 = %s WHERE seq = 3", "another", entry.hashed()
    )
    found = verify()
    assert found.fault is not None
    assert (found.fault.what, found.fault.line) == ("inserted", 4)


@pytest.mark.usefixtures("log")
def test_a_log_without_its_head_does_not_hold() -> None:
    Head.objects.all().delete()
    assert not verify().whole


@pytest.mark.usefixtures("log")
def test_the_command_verifies_an_export_offline(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b"".join(export()))
    held = run("audit", "verify", path)
    assert (held.returncode, "5 entries hold" in held.stdout) == (0, True)
    assert files.verify(path).last == verify().last
    path.write_bytes(path.read_bytes().replace(b"account 3", b"account 4"))
    assert run("audit", "verify", path).returncode == 1


def test_an_entry_and_what_it_accounts_for_stand_or_fall_together() -> None:
    with transaction.atomic():
        record(ADA, "account.changed", "account 1")
        transaction.set_rollback(True)
    assert verify().entries == 0
    assert record(ADA, "account.changed", "account 1").seq == 1


def test_an_entry_without_a_transaction_is_a_mistake_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        # Tests are within one themselves.
        patch.setattr(connections["default"], "in_atomic_block", False)
        with pytest.raises(RuntimeError, match="in the transaction of what it accounts for"):
            record(ADA, "account.changed", "account 1")


def test_texts_that_are_too_long_are_cut_and_characters_that_databases_dislike_replaced() -> None:
    entry = record(ADA, "account.changed", "a\x00b", why="x" * 5_000)
    assert entry.object == "a\N{REPLACEMENT CHARACTER}b"
    assert entry.why is not None
    assert (len(entry.why), entry.why[-1]) == (2_000, "…")
    assert verify().whole


@pytest.mark.usefixtures("log")
def test_pages_are_newest_first_and_lead_to_the_next() -> None:
    first = page(most=2)
    assert ([row.seq for row in first.rows], first.next) == ([5, 4], 4)
    last = page(before=2, most=2)
    assert ([row.seq for row in last.rows], last.next) == ([1], None)
    assert page(action="session.").rows == []
    assert len(page(who=ADA.who).rows) == 5
