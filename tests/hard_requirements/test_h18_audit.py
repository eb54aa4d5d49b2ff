"""H18: the audit log is append-only, hash-chained and verifiable offline, break-glass included.

The log of a peer could be edited by whoever could edit its database; here any edit shows.
"""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest
from lockgate import audit

if TYPE_CHECKING:
    from pathlib import Path

ACTIONS = (
    "change.new",
    "change.check",
    "change.approve",
    "change.break_glass",
    "change.rollout.begun",
    "change.rebase",
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    for number, action in enumerate(ACTIONS, 1):
        audit.append(
            path,
            who="ada@example.com",
            action=action,
            about="tighten",
            before="a" * 64,
            after="b" * 64,
            why=f'réason {number} \\ of "six"',
            evidence={"check": "c" * 64},
        )
    return path


def lines(log: Path) -> list[bytes]:
    return log.read_bytes().splitlines(keepends=True)


def verified(log: Path, rows: list[bytes]) -> audit.Verification:
    log.write_bytes(b"".join(rows))
    return audit.verify(log)


def test_a_log_that_nobody_touched_holds(log: Path) -> None:
    found = audit.verify(log)
    assert (found.whole, found.entries, found.notes) == (True, len(ACTIONS), [])


def test_an_edit_of_any_byte_of_any_entry_is_detected(log: Path) -> None:
    whole = log.read_bytes()
    others = random.Random(18)
    line = 1
    for at, byte in enumerate(whole):
        other = (byte + others.randrange(1, 256)) % 256
        log.write_bytes(whole[:at] + bytes([other]) + whole[at + 1 :])
        fault = audit.verify(log).fault
        assert fault is not None, (at, byte, other)
        assert fault.line == line, (at, byte, other)
        line += byte == ord("\n")


def test_an_entry_that_is_spelt_otherwise_is_detected(log: Path) -> None:
    """Spaces, or a name twice, would say the same to a reader of JSON and give the same hash."""
    rows = lines(log)
    spaced = rows[2].replace(b'"who":', b'"who": ', 1)
    doubled = rows[2].replace(b'{"action"', b'{"action":"x","action"', 1)
    for edited in (spaced, doubled):
        assert edited != rows[2]
        fault = verified(log, [*rows[:2], edited, *rows[3:]]).fault
        assert fault is not None
        assert (fault.line, fault.what) == (3, "edited")


@pytest.mark.parametrize("gone", range(len(ACTIONS) - 1))
def test_a_row_that_was_deleted_is_detected(log: Path, gone: int) -> None:
    rows = lines(log)
    fault = verified(log, rows[:gone] + rows[gone + 1 :]).fault
    assert fault is not None
    assert (fault.line, fault.what) == (gone + 1, "removed")
    assert f"entry {gone + 1} is not there" in fault.message


def test_the_last_row_that_was_deleted_is_detected_by_a_checkpoint(log: Path) -> None:
    known = audit.checkpoint(log)
    found = verified(log, lines(log)[:-1])
    assert found.whole, "without a checkpoint a shorter log is a whole one"
    fault = audit.verify(log, known).fault
    assert fault is not None
    assert fault.what == "cut off"


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(range(len(ACTIONS)), 2)))
def test_two_rows_that_were_swapped_are_detected(log: Path, first: int, second: int) -> None:
    rows = lines(log)
    rows[first], rows[second] = rows[second], rows[first]
    fault = verified(log, rows).fault
    assert fault is not None
    assert (fault.line, fault.what) == (first + 1, "reordered")


@pytest.mark.parametrize("at", range(len(ACTIONS)))
def test_a_row_that_was_inserted_is_detected(log: Path, tmp_path: Path, at: int) -> None:
    """Also one whose own hash is right and that names the right entry before it."""
    rows = lines(log)
    forged = tmp_path / "forged.jsonl"
    forged.write_bytes(b"".join(rows[:at]))
    audit.append(forged, who="mallory", action="change.approve", about="tighten")
    extra = lines(forged)[-1]
    fault = verified(log, [*rows[:at], extra, *rows[at:]]).fault
    assert fault is not None
    assert (fault.line, fault.what) == (at + 2, "inserted")


@pytest.mark.parametrize("at", range(len(ACTIONS) + 1))
def test_a_row_that_was_copied_is_detected(log: Path, at: int) -> None:
    rows = lines(log)
    fault = verified(log, [*rows[:at], rows[2], *rows[at:]]).fault
    assert fault is not None
    # Beside its original nobody can tell which of the two is the copy.
    assert (fault.line, fault.what) == (4 if at in {2, 3} else at + 1, "inserted")


def test_a_row_that_was_replaced_by_one_with_a_right_hash_is_detected(log: Path, tmp_path: Path) -> None:
    rows = lines(log)
    forged = tmp_path / "forged.jsonl"
    forged.write_bytes(b"".join(rows[:3]))
    audit.append(forged, who="nobody", action="change.approve", about="tighten")
    fault = verified(log, [*rows[:3], lines(forged)[-1], *rows[4:]]).fault
    assert fault is not None
    assert (fault.line, fault.what) == (5, "inserted")
    assert "line 4 was replaced" in fault.message


def test_an_entry_with_a_wrong_number_is_detected(log: Path) -> None:
    """Though its hash is right, and it names the entry before it."""
    last = audit.AuditEntry.model_validate_json(lines(log)[-1])
    for number in (1, len(ACTIONS), len(ACTIONS) + 2):
        wrong = last.model_copy(update={"seq": number, "previous": last.sha256})
        forged = wrong.model_copy(update={"sha256": wrong.hashed()})
        fault = verified(log, [*lines(log)[: len(ACTIONS)], forged.line() + b"\n"]).fault
        assert fault is not None
        assert (fault.line, fault.what) == (
            len(ACTIONS) + 1,
            "removed" if number > len(ACTIONS) else "inserted",
        )


def test_a_log_that_was_written_anew_is_detected_by_a_checkpoint(log: Path, tmp_path: Path) -> None:
    known = audit.checkpoint(log)
    anew = tmp_path / "anew.jsonl"
    for action in [*ACTIONS, "change.run"]:
        audit.append(anew, who="ada@example.com", action=action, about="tighten")
    assert audit.verify(anew).whole
    fault = audit.verify(anew, known).fault
    assert fault is not None
    assert fault.what == "another log"
