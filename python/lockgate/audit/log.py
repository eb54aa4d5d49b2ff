"""Writing the audit log: one entry after the other, on the disk before anything is done."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lockgate.audit.entry import FIRST, MOST_BYTES, TORN, AuditEntry, entry_of, written
from lockgate.audit.identity import account, machine
from lockgate.signing import canonical, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from os import PathLike

MOST_WHY = 4_096
"""The longest reason, in characters."""


class AuditError(Exception):
    """The log cannot be written or read. What was to be logged must not be done."""


class Log(Protocol):
    """An audit log that is kept elsewhere than in a file, such as in a database."""

    def append(
        self,
        *,
        who: str,
        action: str,
        about: str,
        before: str | None = None,
        after: str | None = None,
        why: str | None = None,
        evidence: Mapping[str, str] | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        """Append an entry. When this returns, the entry stays.

        Raises:
            AuditError: It cannot be written.
        """


def write(
    log: str | PathLike[str] | Log,
    *,
    who: str,
    action: str,
    about: str,
    before: str | None = None,
    after: str | None = None,
    why: str | None = None,
    evidence: Mapping[str, str] | None = None,
    details: Mapping[str, str] | None = None,
) -> None:
    """Append an entry to a log, wherever it is kept.

    Raises:
        AuditError: It cannot be written.
    """
    append_to = partial(append, log) if isinstance(log, str | os.PathLike) else log.append
    append_to(
        who=who,
        action=action,
        about=about,
        before=before,
        after=after,
        why=why,
        evidence=evidence,
        details=details,
    )


def append(
    path: str | PathLike[str],
    *,
    who: str,
    action: str,
    about: str,
    before: str | None = None,
    after: str | None = None,
    why: str | None = None,
    evidence: Mapping[str, str] | None = None,
    details: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> AuditEntry:
    """Append an entry. When this returns, the entry is on the disk.

    Several processes may append to one log: they wait for each other. A line that a crash left unfinished
    stays, and an entry of the action `audit.torn` accounts for it.

    Args:
        path: The log; it is made, for its owner alone, when it is not there.
        who: The person or automation that acts.
        action: What is done, such as `change.approve`.
        about: What it is done to.
        before: The revision before.
        after: The revision after.
        why: The reason.
        evidence: SHA-256 of evidence files by step.
        details: What else is to be known.
        now: The time; the present by default.

    Raises:
        AuditError: It cannot be written, or its last entry is damaged.
    """
    if why is not None and len(why) > MOST_WHY:
        message = f"the reason has {len(why):,} characters; write at most {MOST_WHY:,}"
        raise AuditError(message)
    said: dict[str, object] = {
        "who": who,
        "action": action,
        "object": about,
        "before": before,
        "after": after,
        "why": why,
        "evidence": dict(evidence or {}),
        "details": dict(details or {}),
    }
    at = written(now or datetime.now(UTC))
    try:
        with _locked(Path(path)) as log:
            return _append(log, at, said)
    except OSError as error:
        message = f"the audit log {path} cannot be written: {error.strerror or error}"
        raise AuditError(message) from error
    except _DamagedError as error:
        message = (
            f"the last entry of the audit log {path} is damaged: {error}; "
            f"`lockgate audit verify {path}` says where, and `--audit FILE` begins another log"
        )
        raise AuditError(message) from None


def entries(path: str | PathLike[str]) -> Iterator[tuple[int, bytes, bool]]:
    """The lines of a log with their numbers, and whether each has its end.

    Raises:
        AuditError: The log cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            number = 0
            while line := file.readline(MOST_BYTES + 1):
                number += 1
                yield number, line.removesuffix(b"\n"), line.endswith(b"\n")
    except OSError as error:
        message = f"the audit log {path} cannot be read: {error.strerror or error}"
        raise AuditError(message) from error


class _DamagedError(Exception):
    """The end of the log cannot be trusted."""


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The log, open and locked. A log that was moved away while this waited is not written."""
    while True:
        log = _open(path)
        try:
            fcntl.flock(log, fcntl.LOCK_EX)
            if _is_still(path, log):
                yield log
                return
        finally:
            os.close(log)


def _is_still(path: Path, log: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(log).st_ino
    except FileNotFoundError:
        return False


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        log = os.open(path, flags)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600))
            _flush_folder(path.parent)
        log = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(log).st_mode):
        os.close(log)
        raise OSError(errno.EINVAL, "it is not a file")
    return log


def _flush_folder(folder: Path) -> None:
    """A new file is there after a crash only when its folder is on the disk too."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _append(log: int, at: str, said: dict[str, object]) -> AuditEntry:
    last, rest = _end(log)
    text = b""
    if rest:
        text = b"\n"
        whole = entry_of(rest)
        if isinstance(whole, AuditEntry) and _follows(whole, last):
            # Only the end of the line is missing.
            last = whole
        else:
            torn = {"bytes": str(len(rest)), "sha256": sha256(rest)}
            lost = {"who": "lockgate", "action": TORN, "object": "the line before", "details": torn}
            why = "the writer of the line before died before it was done; what it meant to log was not done"
            last = _next(last, at, {**lost, "before": None, "after": None, "why": why, "evidence": {}})
            text += last.line() + b"\n"
    entry = _next(last, at, said)
    text += entry.line() + b"\n"
    if len(entry.line()) > MOST_BYTES:
        raise OSError(errno.EFBIG, f"an entry has more than {MOST_BYTES:,} bytes")
    _write(log, text)
    return entry


def _write(log: int, text: bytes) -> None:
    size = os.fstat(log).st_size
    try:
        left = memoryview(text)
        while left:
            left = left[os.write(log, left) :]
        os.fsync(log)
    except OSError:
        # What is half written is taken back, as nobody was told of it.
        with contextlib.suppress(OSError):
            os.ftruncate(log, size)
        raise


def _end(log: int) -> tuple[AuditEntry | None, bytes]:
    """The last entry, and what stands behind it without the end of a line."""
    size = os.fstat(log).st_size
    # The longest line, what a crash left of another, and the ends of three.
    tail = os.pread(log, 2 * MOST_BYTES + 3, max(0, size - 2 * MOST_BYTES - 3))
    before, end, rest = tail.rpartition(b"\n")
    if len(rest) > MOST_BYTES:
        message = f"it has more than {MOST_BYTES:,} bytes"
        raise _DamagedError(message)
    if not end:
        return None, rest
    entry = entry_of(before.rpartition(b"\n")[2])
    if isinstance(entry, str):
        raise _DamagedError(entry)
    return entry, rest


def _follows(entry: AuditEntry, last: AuditEntry | None) -> bool:
    seq, previous = (last.seq, last.sha256) if last else (0, FIRST)
    return (entry.seq, entry.previous) == (seq + 1, previous)


def _next(last: AuditEntry | None, at: str, said: dict[str, object]) -> AuditEntry:
    unhashed = {
        "v": 1,
        "seq": last.seq + 1 if last else 1,
        "at": at,
        "user": account(),
        "host": machine(),
        "previous": last.sha256 if last else FIRST,
        **said,
    }
    form = canonical(unhashed)
    return AuditEntry.model_validate_json(form[:-1] + b',"sha256":"' + sha256(form).encode() + b'"}')
