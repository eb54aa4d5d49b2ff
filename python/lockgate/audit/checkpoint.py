"""A checkpoint: how long a log was and how it ended, to be kept where the log is not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict, Field

from lockgate.models import Model
from lockgate.signing import signed_by

if TYPE_CHECKING:
    from os import PathLike

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


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
