"""An entry of the audit log, and its one spelling."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict, ValidationError

from lockgate.models import Model
from lockgate.signing import canonical, sha256

if TYPE_CHECKING:
    from datetime import datetime

FIRST = "0" * 64
"""What the first entry names as the hash of the one before."""
MOST_BYTES = 65_536
"""The longest line."""
TORN = "audit.torn"
"""The action of an entry that accounts for a line whose writer died."""


def written(time: datetime) -> str:
    """A time as entries write it: such texts are in order as the times are."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class AuditEntry(Model):
    """One link of the chain. `sha256` is that of the canonical form of all else, `previous` among it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    v: Literal[1]
    seq: int
    """From 1, without a gap."""
    at: str
    """RFC 3339, UTC."""
    who: str
    """The person or automation, as far as it is known."""
    user: str
    """The account on the machine."""
    host: str
    """The machine."""
    action: str
    object: str
    """What it was done to."""
    before: str | None
    """The revision before."""
    after: str | None
    """The revision after."""
    why: str | None
    evidence: dict[str, str]
    """SHA-256 of evidence files by step."""
    details: dict[str, str]
    previous: str
    sha256: str

    def hashed(self) -> str:
        """The hash that it should have."""
        return sha256(canonical(self.model_dump(exclude={"sha256"})))

    def line(self) -> bytes:
        """The only line that stands for it, without its end."""
        return canonical(self.model_dump())


def entry_of(line: bytes) -> AuditEntry | str:
    """The entry that a line holds, or what is wrong with it."""
    try:
        entry = AuditEntry.model_validate_json(line)
    except ValidationError:
        return "it is not an entry"
    if entry.hashed() != entry.sha256:
        return f"it says that its hash is {entry.sha256[:12]}, and it is {entry.hashed()[:12]}"
    if entry.line() != line:
        return "its entry is spelt otherwise than entries are"
    return entry
