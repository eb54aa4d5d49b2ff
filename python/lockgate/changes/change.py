"""A change: what shall be served in place of what, why, and what it must prove first."""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from lockgate.changes.reading import read
from lockgate.rollout import Expectation, RolloutPlan
from lockgate.signing import sha256

if TYPE_CHECKING:
    from os import PathLike

FILE = "change.yaml"
"""The file in the directory of a change."""

_RANGE = re.compile(r"[^.\s-][^\s]*?\.\.[^.\s-][^\s]*")
"""Not even a part of it can be taken for an option."""

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
Phrase = Annotated[str, StringConstraints(strip_whitespace=True, min_length=12, max_length=2_000)]
"""Long enough that it is part of one warning and not of any."""


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Cases(_Written):
    """Policy tests that must pass."""

    paths: tuple[Words, ...] = Field(min_length=1)
    """Case files, or folders of them."""
    cover: Literal["changed", "all", "nothing"] = "changed"
    """Which routes need a case that reaches them: those that the change touches, all, or none."""


class Attack(_Written):
    """The attack on the candidate."""

    fail_at: Literal["critical", "high", "medium", "low", "info"] = "high"
    """A finding of this severity or a worse one blocks."""
    seconds: float = Field(default=120, ge=1, le=3_600)
    """Seconds after which no request is sent."""


class Rollout(_Written):
    """How it goes live."""

    plan: RolloutPlan = RolloutPlan()
    """Its stages, as `lockgate rollout start --plan` takes them."""
    include: tuple[Words, ...] = ()
    """Applications that are in the canary from the first step on."""
    exclude: tuple[Words, ...] = ()
    """Applications that get it only once it is live."""
    expect: Expectation | None = None
    """Decisions that may differ, as `rollout start --expect` takes them; those of the replay by default."""


class ChangeFile(_Written):
    """What `change.yaml` says. Paths are relative to its directory."""

    change: Literal[1]
    """The version of this format: `1`."""
    purpose: Words
    """Why, in a sentence that somebody understands in a year."""
    author: Words
    """Who proposes it, such as an e-mail address. Somebody else must approve it."""
    owner: Words | None = None
    """Who answers for it later."""
    measure: Words | None = None
    """How one sees later that it does what it is for."""
    expires: date | None = None
    """The last day (UTC) on which it may go live."""
    git: Words | None = None
    """Two Git revisions, `BASE..CANDIDATE`; both documents are then paths in the repository."""
    base: Words
    """The document that is served."""
    candidate: Words | None = None
    """The document that shall be served; with `git`, at the path of the base by default."""
    cases: Cases
    """The policy tests."""
    recording: Words
    """The recorded traffic to replay: a folder or one segment."""
    nodes: Words | None = None
    """A folder with the recording of each other node in a folder of its name: they are replayed as well."""
    state: Words | None = None
    """The state folder of the node that recorded, when its applications do not stand in the document."""
    expect: Words | None = None
    """A file that says which decisions differ, as `lockgate replay --expect` takes it; none without it."""
    acknowledge: tuple[Phrase, ...] = ()
    """New warnings of the check that are meant: each as it is printed, or a part of it."""
    attack: Attack = Attack()
    """The attack."""
    rollout: Rollout = Rollout()
    """The rollout."""

    @field_validator("git")
    @classmethod
    def _is_a_range(cls, text: str | None) -> str | None:
        if text is not None and not _RANGE.fullmatch(text):
            message = f"`{text}` are not two revisions; write `BASE..CANDIDATE`, such as `main..tighten`"
            raise ValueError(message)
        return text

    @model_validator(mode="after")
    def _has_a_candidate(self) -> Self:
        if self.candidate is None and self.git is None:
            message = "`candidate` is missing; write the document that shall be served, or `git`"
            raise ValueError(message)
        return self


class Change:
    """A change directory that has been read.

    Args:
        folder: The directory, which holds `change.yaml`.

    Raises:
        ProblemsError: The file has errors.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.folder = Path(folder)
        self.file = read(self.folder / FILE, ChangeFile)

    @property
    def name(self) -> str:
        """The name of its directory."""
        return self.folder.resolve().name

    @property
    def digest(self) -> str:
        """The SHA-256 of what the file says, however it is written."""
        return sha256(self.file.model_dump_json().encode())

    def path(self, written: str) -> Path:
        """A path of the file, seen from here when it lies here."""
        path = Path(os.path.normpath(self.folder.resolve() / written))
        here = Path.cwd()
        return path.relative_to(here) if path.is_relative_to(here) else path

    def expired(self, now: datetime | None = None) -> bool:
        """Whether its last day is over."""
        last = self.file.expires
        return last is not None and (now or datetime.now(UTC)).astimezone(UTC).date() > last


def schema() -> dict[str, Any]:
    """The JSON Schema of `change.yaml`, for editors."""
    return ChangeFile.model_json_schema()
