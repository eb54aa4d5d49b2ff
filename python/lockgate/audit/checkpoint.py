"""A checkpoint: how long a log was and how it ended, to be kept where the log is not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict, Field

from lockgate.audit.entry import FIRST, written
from lockgate.audit.log import AuditError
from lockgate.audit.verify import verify
from lockgate.models import Model
from lockgate.signing import sign, signed_by

if TYPE_CHECKING:
    from os import PathLike

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class Checkpoint(Model):
    """How many entries a log had at a time, and the hash of the last."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    v: Literal[1]
    seq: int = Field(ge=0)
    sha256: str
    at: str
    signature: str | None = None
    """Ed25519 over the canonical form of the rest, as base64."""

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Checkpoint:
        """Read a checkpoint.

        Raises:
            OSError: The file cannot be read.
            ValueError: It holds no checkpoint.
        """
        return cls.model_validate_json(Path(path).read_bytes())

    def is_signed_by(self, key: Ed25519PublicKey) -> bool:
        """Whether its signature is of this key."""
        unsigned = self.model_dump(exclude={"signature"})
        return self.signature is not None and signed_by(unsigned, self.signature, key)


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
