"""Writing, verifying and exporting the audit log."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from django.db import connection, transaction

from lockgate.audit import AuditEntry, Fault, Verification
from lockgate.audit.entry import FIRST, written
from lockgate.audit.identity import account, machine
from lockgate.control.audit.models import Entry, Head
from lockgate.control.paging import page_of
from lockgate.signing import canonical, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_CHARACTERS = 2_000
"""Of each text of an entry: what is longer is cut, and says so."""
_BATCH = 1_000


@dataclass(frozen=True)
class Actor:
    """Who does something."""

    who: str
    """An e-mail address, a service account, or `nobody`."""
    address: str
    """From where."""
    permissions: frozenset[str] = field(default=frozenset())


def here() -> Actor:
    """Somebody with an account on this machine, who came by no page and no API."""
    return Actor(f"{account()}@{machine()}", "")


def record(
    by: Actor,
    action: str,
    about: str,
    *,
    before: str | None = None,
    after: str | None = None,
    why: str | None = None,
    evidence: Mapping[str, str] | None = None,
    details: Mapping[str, str] | None = None,
) -> AuditEntry:
    """Append an entry, in the transaction of what it accounts for: both are kept or neither is.

    Raises:
        RuntimeError: There is no transaction.
    """
    if not connection.in_atomic_block:
        message = "an audit entry is written in the transaction of what it accounts for"
        raise RuntimeError(message)
    # The lock makes others wait until this transaction ends, so that no two entries follow the same one.
    head = Head.objects.select_for_update().get(pk=1)
    unhashed = {
        "v": 1,
        "seq": head.seq + 1,
        "at": written(datetime.now(UTC)),
        "who": by.who,
        "user": account(),
        "host": machine(),
        "action": action,
        "object": _short(about, 512),
        "before": _text(before),
        "after": _text(after),
        "why": _text(why),
        "evidence": dict(evidence or {}),
        "details": {
            **{name: _short(text, MOST_CHARACTERS) for name, text in (details or {}).items()},
            **({"from": by.address} if by.address else {}),
        },
        "previous": head.sha256,
    }
    entry = AuditEntry.model_validate({**unhashed, "sha256": sha256(canonical(unhashed))})
    Entry.objects.create(**entry.model_dump(exclude={"v"}))
    head.seq, head.sha256 = entry.seq, entry.sha256
    head.save()
    return entry


def export() -> Iterator[bytes]:
    """The log as `lockgate audit verify` reads it, line by line."""
    for row in Entry.objects.order_by("seq").iterator(_BATCH):
        yield row.entry.line() + b"\n"


def verify() -> Verification:
    """Check every entry of the database, and that none is missing at the end.

    Others may write meanwhile: what they add is checked as well, or left to the next time.
    """
    before = head()
    seq, last = 0, FIRST
    for row in Entry.objects.order_by("seq").iterator(_BATCH):
        entry = row.entry
        if fault := _fault(entry, seq, last):
            return _verified(seq, last, fault)
        seq, last = entry.seq, entry.sha256
        if seq == before[0] and last != before[1]:
            message = f"entry {seq} is not the one that the log knows as its last"
            return _verified(seq - 1, entry.previous, Fault(line=seq, what="another log", message=message))
    after = head()
    if not before[0] <= seq <= after[0] or (seq == after[0] and last != after[1]):
        message = f"{seq} entries are there, and the log knows of {after[0]}"
        return _verified(seq, last, Fault(line=seq, what="cut off", message=message))
    return _verified(seq, last, None)


def head() -> tuple[int, str]:
    """How many entries there are and the hash of the last, as far as the log knows itself."""
    found = Head.objects.filter(pk=1).first()
    return (found.seq, found.sha256) if found else (0, "")


def _fault(entry: AuditEntry, seq: int, last: str) -> Fault | None:
    if entry.seq != seq + 1:
        gap = f"entry {seq + 1} is" if entry.seq == seq + 2 else f"entries {seq + 1} to {entry.seq - 1} are"
        message = f"{gap} not there; entry {entry.seq} follows"
        return Fault(line=seq + 1, what="removed", message=message)
    if entry.hashed() != entry.sha256:
        message = (
            f"entry {entry.seq} says that its hash is {entry.sha256[:12]}, and it is {entry.hashed()[:12]}"
        )
        return Fault(line=entry.seq, what="edited", message=message)
    if entry.previous != last:
        message = f"entry {entry.seq} names another entry before it"
        return Fault(line=entry.seq, what="inserted", message=message)
    return None


def _verified(seq: int, last: str, fault: Fault | None) -> Verification:
    return Verification(entries=seq, last=last if seq else None, fault=fault, notes=[])


def _text(text: str | None) -> str | None:
    return None if not text else _short(text, MOST_CHARACTERS)


def _short(text: str, most: int) -> str:
    # Databases disagree about NUL; nothing that people write has it.
    clean = text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"


@dataclass(frozen=True)
class Page:
    """Entries, newest first, and where the next page begins."""

    rows: list[Entry]
    next: int | None


def page(
    *,
    action: str = "",
    who: str = "",
    about: str = "",
    since: date | None = None,
    until: date | None = None,
    before: int | None = None,
    most: int = 100,
) -> Page:
    """A page of entries, newest first.

    Args:
        action: How their actions begin.
        who: Who acted.
        about: A part of what they were done to.
        since: Only entries of this day and later, in UTC.
        until: Only entries of this day and earlier.
        before: Only entries before this number.
        most: How many.
    """
    found = Entry.objects.order_by("-seq")
    if action:
        found = found.filter(action__startswith=action)
    if who:
        found = found.filter(who=who)
    if about:
        found = found.filter(object__contains=about)
    # Times are texts that sort as they follow each other.
    if since is not None:
        found = found.filter(at__gte=since.isoformat())
    if until is not None and until < date.max:
        found = found.filter(at__lt=(until + timedelta(days=1)).isoformat())
    if before is not None:
        found = found.filter(seq__lt=before)
    rows = list(found[: most + 1])
    return Page(*page_of(rows, most, lambda entry: entry.seq))


@transaction.atomic
def note_export(by: Actor) -> None:
    """Write down that somebody takes a copy of the log."""
    record(by, "audit.exported", "audit log")
