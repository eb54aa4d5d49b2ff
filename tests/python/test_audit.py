"""The audit log: what is written, how it survives crashes and full disks, and what its commands say."""

from __future__ import annotations

import errno
import json
import os
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from changing import git, signing_key
from lockgate import audit
from lockgate.audit import identity
from lockgate.audit.verify import whole_entries
from lockgate.cli import app
from typer.testing import CliRunner

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

NOON = datetime(2026, 11, 20, 12, 0, 0, 7, tzinfo=UTC)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def note(log: Path, action: str = "change.check", **more: str) -> audit.AuditEntry:
    return audit.append(log, who="ada@example.com", action=action, about="tighten", now=NOON, **more)  # type: ignore[arg-type]


def say(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["audit", *(str(word) for word in words)], prog_name="lockgate")


def test_an_entry_says_who_what_when_from_where_and_why(log: Path) -> None:
    entry = note(log, why="a reason", before="a" * 64, after="b" * 64)
    written = json.loads(log.read_text())
    assert written == entry.model_dump()
    assert (written["seq"], written["at"], written["previous"]) == (
        1,
        "2026-11-20T12:00:00.000007Z",
        "0" * 64,
    )
    assert (written["user"], written["host"]) == (identity.account(), identity.machine())
    second = note(log)
    assert (second.seq, second.previous) == (2, entry.sha256)


def test_the_log_can_be_read_by_its_owner_only(log: Path) -> None:
    note(log)
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_name_that_is_no_text_does_not_break_the_chain(log: Path) -> None:
    audit.append(log, who="caf\udce9", action="change.new", about="a\nb\x1b[2J")
    note(log)
    assert audit.verify(log).whole


def test_writers_wait_for_each_other(log: Path) -> None:
    """Each opens the log anew, as processes do."""
    together = threading.Barrier(4)

    def write() -> None:
        together.wait()
        for _ in range(40):
            note(log)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = audit.verify(log)
    assert (found.whole, found.entries) == (True, 160)


def test_a_writer_that_died_at_any_byte_leaves_a_log_that_goes_on_and_says_so(log: Path) -> None:
    note(log)
    first = log.read_bytes()
    note(log, why="this one dies")
    whole = log.read_bytes()
    for length in range(len(first) + 1, len(whole) - 1):
        log.write_bytes(whole[:length])
        torn = audit.verify(log).fault
        assert torn is not None
        assert (torn.line, torn.what) == (2, "torn")
        entry = note(log, "change.approve")
        found = audit.verify(log)
        assert found.whole, found.fault
        (said,) = found.notes
        assert said.startswith(
            "line 2: a writer died here before it was done; entry 2 of 2026-11-20T12:00:00"
        )
        assert entry.seq == 3
        assert log.read_bytes().startswith(whole[:length] + b"\n"), "what was torn stays"


def test_an_entry_that_lacks_only_the_end_of_its_line_counts(log: Path) -> None:
    note(log)
    note(log)
    log.write_bytes(log.read_bytes()[:-1])
    assert audit.verify(log).notes == ["line 2: the last entry is whole, and the end of its line is missing"]
    assert note(log).seq == 3
    found = audit.verify(log)
    assert (found.whole, found.notes) == (True, [])


def test_a_torn_line_cannot_be_taken_out_or_edited_afterwards(log: Path) -> None:
    note(log)
    note(log)
    log.write_bytes(log.read_bytes()[:-9])
    note(log)
    rows = log.read_bytes().splitlines(keepends=True)
    for edited, line, what in (
        ([rows[0], *rows[2:]], 2, "removed"),
        ([rows[0], rows[1][:-3] + b"\n", *rows[2:]], 2, "edited"),
        ([*rows[:2], *rows[3:]], 2, "edited"),
    ):
        log.write_bytes(b"".join(edited))
        fault = audit.verify(log).fault
        assert fault is not None
        assert (fault.line, fault.what) == (line, what)


def test_nothing_is_appended_to_a_damaged_entry(log: Path) -> None:
    note(log)
    log.write_bytes(log.read_bytes().replace(b"ada@", b"eve@"))
    with pytest.raises(audit.AuditError, match=r"is damaged: it says that its hash is .* begins another log"):
        note(log)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_is_full_leaves_the_log_as_it_was(
    log: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    note(log)
    before = log.read_bytes()

    def half(handle: int, data: bytes) -> int:
        if len(data) < 100:
            raise OSError(error, os.strerror(error))
        return writing(handle, data[:50])

    writing = os.write
    monkeypatch.setattr(os, "write", half)
    with pytest.raises(audit.AuditError, match=f"cannot be written: {os.strerror(error)}"):
        note(log)
    monkeypatch.undo()
    assert log.read_bytes() == before


def test_what_is_no_file_of_its_own_is_no_log(tmp_path: Path) -> None:
    real, link = tmp_path / "real.jsonl", tmp_path / "link.jsonl"
    note(real)
    link.symlink_to(real)
    for path, why in (
        ("/dev/null", "it is not a file"),
        (link, "Too many levels of symbolic links"),
        (tmp_path, "Is a directory"),
        (tmp_path / "no" / "log", "No such file"),
    ):
        with pytest.raises(audit.AuditError, match=why):
            audit.append(path, who="a", action="b", about="c")


def test_a_reason_and_an_entry_have_a_bound(log: Path) -> None:
    with pytest.raises(audit.AuditError, match="write at most 4,096"):
        note(log, why="x" * 4_097)
    with pytest.raises(audit.AuditError, match="more than 65,536 bytes"):
        audit.append(log, who="a", action="b", about="c", details={"x": "y" * 70_000})
    assert not log.read_bytes()


def test_a_log_that_is_moved_away_is_not_written(log: Path) -> None:
    note(log)
    log.rename(log.with_suffix(".old"))
    assert note(log).seq == 1


def test_show_picks_entries(log: Path) -> None:
    note(log, "change.new")
    note(log, "change.approve", why="looks \x1b[2J good")
    audit.append(log, who="bob", action="reload", about="gateway", now=NOON.replace(day=21))
    shown = say("show", log)
    assert shown.exit_code == 0
    assert "\x1b" not in shown.output
    assert "looks \N{REPLACEMENT CHARACTER}[2J good" in shown.output
    for words, actions in (
        (("--action", "change"), ["change.new", "change.approve"]),
        (("--action", "change.new"), ["change.new"]),
        (("--who", "bob"), ["reload"]),
        (("--since", "2026-11-20T13:00:00Z"), ["reload"]),
        (("--since", "2026-11-20T13:00:00+01:00"), ["change.new", "change.approve", "reload"]),
    ):
        got = say("show", log, "--json", *words)
        assert [json.loads(line)["action"] for line in got.output.splitlines()] == actions
    assert "is not a time; write one such as" in say("show", log, "--since", "noon").output
    assert "no entry fits" in say("show", log, "--who", "nobody").output


def test_show_says_when_the_log_does_not_hold(log: Path) -> None:
    note(log)
    note(log)
    log.write_bytes(log.read_bytes().replace(b'"seq":2', b'"seq":9'))
    shown = say("show", log)
    assert shown.exit_code == 1
    assert "error: line 2: edited" in shown.output
    assert len(list(whole_entries(log))) == 1


def test_verify_and_checkpoint_work_offline(log: Path, tmp_path: Path) -> None:
    private, public, other = (tmp_path / name for name in ("key.pem", "pub.pem", "other.pem"))
    signing_key(private, public)
    signing_key(other, tmp_path / "other-pub.pem")
    note(log)
    note(log)
    kept = tmp_path / "checkpoint.json"
    kept.write_text(say("checkpoint", log, "--sign", private).output)
    note(log)
    held = say("verify", log, "--checkpoint", kept, "--key", public)
    assert held.exit_code == 0, held.output
    assert "3 entries hold" in held.output
    assert "fits" in held.output
    wrong = say("verify", log, "--checkpoint", kept, "--key", tmp_path / "other-pub.pem")
    assert (wrong.exit_code, "no signature of this key" in wrong.output) == (1, True)
    forged = json.loads(kept.read_text()) | {"seq": 1}
    kept.write_text(json.dumps(forged))
    assert "no signature of this key" in say("verify", log, "--checkpoint", kept, "--key", public).output
    log.write_bytes(log.read_bytes()[:-30])
    assert "does not hold: line 3: torn" in say("checkpoint", log).output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("verify", "nowhere.jsonl"), "cannot be read: No such file"),
        (("show", "nowhere.jsonl"), "cannot be read: No such file"),
        (
            ("verify", "log", "--checkpoint", "log"),
            "holds no checkpoint; `lockgate audit checkpoint LOG` prints one",
        ),
        (("verify", "log", "--key", "log"), "name it by `--checkpoint FILE`"),
        (("checkpoint", "log", "--sign", "log"), "holds no Ed25519 key to sign with; `lockgate keys signing"),
    ],
)
def test_what_cannot_be_used_is_said(
    log: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(log.parent)
    note(log.with_name("log"))
    done = say(*words)
    assert (done.exit_code, message in done.output) == (2, True), done.output


def test_the_log_may_be_named_by_the_environment(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note(log)
    monkeypatch.setenv("LOCKGATE_AUDIT", str(log))
    assert "1 entry holds" in say("verify").output


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("ada@example.com", "Ada <ADA@example.com>", True),
        ("Ada  Lovelace", " ada lovelace", True),
        ("ada@example.com", "bob@example.com", False),
        ("Ada <ada@example.com>", "Ada <ada@example.org>", False),
    ],
)
def test_one_person_is_one_however_written(one: str, other: str, same: bool) -> None:
    assert identity.same(one, other) == same


def test_who_acts_is_named_or_known_from_the_environment_or_from_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.delenv("LOCKGATE_WHO", raising=False)
    assert audit.someone(None, tmp_path) is None
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "config", "user.email", "git@example.com")
    assert audit.someone(None, tmp_path) == "git@example.com"
    monkeypatch.setenv("LOCKGATE_WHO", "env@example.com")
    assert audit.someone(None, tmp_path) == "env@example.com"
    assert audit.someone("me", tmp_path) == "me"
