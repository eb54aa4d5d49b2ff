"""Vouching for a log: a checkpoint of one that holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lockgate.audit.checkpoint import Checkpoint
from lockgate.audit.entry import FIRST, written
from lockgate.audit.log import AuditError
from lockgate.audit.verify import verify
from lockgate.signing import sign

if TYPE_CHECKING:
    from os import PathLike

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def checkpoint(
    path: str | PathLike[str], key: Ed25519PrivateKey | None = None, now: datetime | None = None
) -> Checkpoint:
    """Note how long a log is and how it ends.

    Raises:
        AuditError: The log cannot be read, or does not hold: there is nothing to vouch for.
    """
    found = verify(path)
    if found.fault is not None:
        message = f"the audit log {path} does not hold: {found.fault}"
        raise AuditError(message)
    at = written(now or datetime.now(UTC))
    unsigned = Checkpoint(v=1, seq=found.entries, sha256=found.last or FIRST, at=at)
    if key is None:
        return unsigned
    return unsigned.model_copy(update={"signature": sign(unsigned.model_dump(exclude={"signature"}), key)})
