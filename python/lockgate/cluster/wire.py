"""What a node and its control plane say to each other, field by field."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from lockgate.models import Model
from lockgate.signing import canonical, sha256

PREFIX: Final = "/node/v1/"
ENROL: Final = f"{PREFIX}enrol"
POLL: Final = f"{PREFIX}poll"
REVISIONS: Final = f"{PREFIX}revisions/"
"""Followed by a number: a signed bundle."""
DIRECTORIES: Final = f"{PREFIX}directories/"
"""Followed by a number: who may call."""
REFUSALS: Final = f"{PREFIX}refusals"
"""What is revoked, and what is blocked for a time."""
SEGMENTS: Final = f"{PREFIX}segments/"
"""Followed by the name of a segment, of what replays need with it, or of an open one with `PART`."""
PART: Final = ".part"
"""The end of a segment's name while it is written. Of such a one comes what is new."""
KEY: Final = "redaction.key"
"""The key of the marks that stand for credentials in the segments of a node, 32 bytes."""
MOST_PIECE_BYTES: Final = 1 << 20
"""Of an open segment at once."""
MOST_BEGINNING_BYTES: Final = 16 << 20
"""Of what was used of limits when a node began to record; what is larger is not pushed."""
TOKEN: Final = "lgn_"  # noqa: S105 - how they begin, and none
"""How one-time tokens begin; after the secret and a dot, the id of the control plane's key follows."""


class Enrolment(Model):
    """What a node asks for once."""

    token: str = Field(max_length=128)
    public_key: str = Field(max_length=64)
    """Its own key: 32 bytes in base64. The request is signed with it."""


class Enrolled(Model):
    """Who the node is from now on."""

    name: str
    control_key: str
    """The control plane's public key, PEM: bundles and answers are signed with it."""


class Refused(Model):
    """What a node does not take, and why."""

    what: str
    """`revision` or `directory`."""
    number: int
    reason: str = Field(max_length=64)
    message: str = Field(max_length=2_000)


class Counts(Model):
    """Answers since the node started."""

    requests: int = 0
    failed: int = 0
    """Answers of 500 and above, and calls without one."""
    refused: int = 0
    """Calls that a policy refused."""


class Recorded(Model):
    """What a node has recorded, and not pushed yet."""

    since: int | None = None
    """When that begins, in microseconds; nothing when all was pushed. Pieces of the open segment count."""
    segments: int = 0
    """How many segments it is, with the one that is being written."""
    every_seconds: float = 10.0
    """How long a segment stays open at most."""
    lost: int = 0
    """Events that its disk did not take since the node started."""
    problem: str = Field(default="", max_length=500)
    """Why it cannot record."""


class Report(Model):
    """What a node says of itself each time that it asks."""

    known: str = Field(default="", max_length=64)
    """The digest of the assignment that it knows; the answer waits for another one."""
    version: str = Field(default="", max_length=64)
    started: float = 0.0
    """When it started: its counts begin anew then."""
    revision: str = Field(default="", max_length=64)
    """The revision that it serves."""
    generation: int | None = None
    stage: str = Field(default="", max_length=16)
    """Of that generation: `applied` is on trial, `baked` is proven."""
    directory: int = 0
    counts: Counts = Counts()
    refused: tuple[Refused, ...] = Field(default=(), max_length=4)
    recorded: Recorded | None = None
    """Absent when it records nothing, or serves nothing yet."""


class Taken(Model):
    """What a control plane has of a segment."""

    bytes: int = Field(ge=0)
    """So many of its first bytes; what is sent next begins there."""
    every_seconds: float = Field(default=2.0, ge=0.0, le=3_600.0)
    """How often it takes something of an open segment."""


class Assignment(Model):
    """What a node is to serve. Absent is what nobody has decided yet: it stays as it is."""

    revision: int | None = None
    again: bool = False
    """Serve that revision even when it was taken back before: a person wants it."""
    withdrawn: tuple[int, ...] = ()
    """Numbers that are to be gone back from."""
    directory: int | None = None
    refusals: str = ""
    """The digest of what is revoked and blocked."""
    pushes: bool = False
    """Whether segments of the recording are taken."""

    @property
    def digest(self) -> str:
        """By this it is told from others."""
        return sha256(canonical(self.model_dump(mode="json")))


class Refusals(Model):
    """What reaches all nodes at once, because it only ever refuses more."""

    revoked: tuple[dict[str, str], ...] = ()
    """`hash` or `application`, each with its name."""
    blocks: tuple[dict[str, Any], ...] = ()
    """As `lockgate.state.Blocked`."""

    @property
    def digest(self) -> str:
        """By this it is told from others."""
        return sha256(canonical(self.model_dump(mode="json")))


class Members(Model):
    """Who may call, apart from revisions."""

    number: int
    applications: dict[str, dict[str, Any]]


def segment_target(name: str, since: int | None, begins: int | None = None) -> str:
    """Where a segment is pushed to.

    Args:
        name: What it is called.
        since: From when on something is not at the control plane after this, in microseconds.
        begins: How many bytes come before those of this piece, of an open segment.
    """
    piece = "" if begins is None else f"&from={begins}"
    return f"{SEGMENTS}{name}?since={since or 0}{piece}"
