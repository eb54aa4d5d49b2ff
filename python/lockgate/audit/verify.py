"""Verifying an audit log, offline: the first thing that is wrong, and what it looks like."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from lockgate.audit.entry import FIRST, TORN, AuditEntry, entry_of
from lockgate.audit.log import entries
from lockgate.models import Model
from lockgate.signing import sha256

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from lockgate.audit.checkpoint import Checkpoint

Sort = Literal["edited", "removed", "reordered", "inserted", "torn", "cut off", "another log", "not signed"]
"""What a break of the chain looks like."""


class Fault(Model):
    """The first thing that is wrong; `line` is 0 when it is no line."""

    line: int
    what: Sort
    message: str

    def __str__(self) -> str:
        return (
            f"line {self.line}: {self.what}: {self.message}" if self.line else f"{self.what}: {self.message}"
        )


class Verification(Model):
    """What a log is worth."""

    entries: int
    """How many hold, from the first on."""
    last: str | None
    """The hash of the last that holds."""
    fault: Fault | None
    notes: list[str]
    """What is not wrong, and has to be known."""

    @property
    def whole(self) -> bool:
        """Whether every entry holds."""
        return self.fault is None


def verify(
    path: str | PathLike[str],
    checkpoint: Checkpoint | None = None,
    key: Ed25519PublicKey | None = None,
) -> Verification:
    """Verify a log from its first entry on.

    Without a checkpoint nobody can tell a log whose end was cut off, or that was written anew from some entry
    on: both are whole chains. A checkpoint that was kept elsewhere tells.

    Args:
        path: The log.
        checkpoint: What was known of the log at some time.
        key: The key that must have signed the checkpoint.

    Raises:
        AuditError: The log cannot be read.
    """
    chain = _Chain()
    lines = list(entries(path))
    for number, (line, text, ended) in enumerate(lines):
        after = lines[number + 1][1] if number + 1 < len(lines) else b""
        fault = chain.take(line, text, ended=ended, after=after)
        if fault is not None:
            seqs = [
                one.seq for _, text, _ in lines[number + 1 :] if isinstance(one := entry_of(text), AuditEntry)
            ]
            return chain.result(chain.told_apart(fault, text, seqs))
    return chain.result(_against(checkpoint, key, chain) if checkpoint else None)


def whole_entries(path: str | PathLike[str]) -> Iterator[AuditEntry]:
    """The entries that can be read, whether the chain holds or not.

    Raises:
        AuditError: The log cannot be read.
    """
    for _, line, _ in entries(path):
        entry = entry_of(line)
        if isinstance(entry, AuditEntry):
            yield entry


@dataclass
class _Chain:
    seq: int = 0
    hash: str = FIRST
    torn: tuple[int, str] | None = None
    """A line that was torn and its hash, until the entry that accounts for it came."""
    notes: list[str] = field(default_factory=list)
    hashes: dict[int, str] = field(default_factory=dict)

    def result(self, fault: Fault | None) -> Verification:
        last = self.hash if self.seq else None
        return Verification(entries=self.seq, last=last, fault=fault, notes=self.notes)

    def take(self, line: int, text: bytes, *, ended: bool, after: bytes) -> Fault | None:
        entry = entry_of(text)
        if isinstance(entry, str):
            return self._unreadable(line, text, entry, ended=ended, after=after)
        if (entry.seq, entry.previous) != (self.seq + 1, self.hash):
            before = f"line {line - 1} was replaced" if self.seq else "what stood before it was removed"
            message = f"entry {entry.seq} names another entry before it: {before}, or it was inserted here"
            return Fault(line=line, what="inserted", message=message)
        torn = entry.details.get("sha256") if entry.action == TORN else None
        if torn != (self.torn[1] if self.torn else None):
            message = f"entry {entry.seq} accounts for an unfinished line that does not stand before it"
            return Fault(line=line, what="removed", message=message)
        if self.torn:
            accounted = f"entry {entry.seq} of {entry.at} accounts for it"
            self.notes.append(f"line {self.torn[0]}: a writer died here before it was done; {accounted}")
            self.torn = None
        if not ended:
            self.notes.append(f"line {line}: the last entry is whole, and the end of its line is missing")
        self.seq, self.hash = entry.seq, entry.sha256
        self.hashes[entry.seq] = entry.sha256
        return None

    def _unreadable(self, line: int, text: bytes, why: str, *, ended: bool, after: bytes) -> Fault | None:
        follower = entry_of(after)
        if (
            isinstance(follower, AuditEntry)
            and follower.action == TORN
            and follower.details.get("sha256") == sha256(text)
        ):
            self.torn = (line, sha256(text))
            return None
        if not ended:
            message = "the last line is unfinished: its writer died, or its end was cut off or edited"
            return Fault(line=line, what="torn", message=message)
        return Fault(line=line, what="edited", message=why)

    def told_apart(self, fault: Fault, text: bytes, later: list[int]) -> Fault:
        """A wrong number, told apart by the numbers that come later."""
        entry, expected = entry_of(text), self.seq + 1
        if isinstance(entry, str) or entry.seq == expected:
            return fault
        if entry.seq < expected or entry.seq in later:
            what: Sort = "inserted"
            message = f"entry {entry.seq} stands in the log twice; one of them was inserted, here or before"
        elif expected in later:
            what, message = "reordered", f"entry {entry.seq} stands before entry {expected}"
        else:
            what = "removed"
            gap = (
                f"entry {expected} is"
                if entry.seq == expected + 1
                else f"entries {expected} to {entry.seq - 1} are"
            )
            message = f"{gap} not there; entry {entry.seq} follows"
        return Fault(line=fault.line, what=what, message=message)


def _against(checkpoint: Checkpoint, key: Ed25519PublicKey | None, chain: _Chain) -> Fault | None:
    if key is not None and not checkpoint.is_signed_by(key):
        message = "the checkpoint has no signature of this key"
        return Fault(line=0, what="not signed", message=message)
    if chain.seq < checkpoint.seq:
        message = f"the checkpoint of {checkpoint.at} saw {checkpoint.seq} entries, and there are {chain.seq}"
        return Fault(line=0, what="cut off", message=message)
    if chain.hashes.get(checkpoint.seq, FIRST) != checkpoint.sha256:
        message = (
            f"entry {checkpoint.seq} is not the one that the checkpoint of {checkpoint.at} saw; "
            "the log was written anew, or the checkpoint is of another one"
        )
        return Fault(line=0, what="another log", message=message)
    return None
