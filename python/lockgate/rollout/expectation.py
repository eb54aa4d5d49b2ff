"""Which decisions a change means to make differently."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from lockgate.rollout.written import Written

if TYPE_CHECKING:
    from os import PathLike

MOST_OF_EVERYBODY, MOST_OF_NAMED = 10_000, 1_000_000
"""The most decisions that may be expected to differ: a number that is never reached approves everything."""


class Allowance(Written):
    """Decisions that are expected to differ."""

    applications: tuple[str, ...] = Field(min_length=1)
    """Whose; `*` is everybody, also who is not identified."""
    at_most: int = Field(ge=1)
    """How many, over the whole rollout: up to 10,000 of everybody, or 1,000,000 of named applications."""

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        if "*" in self.applications and self.at_most > MOST_OF_EVERYBODY:
            message = (
                f"at_most approves {self.at_most} of everybody's decisions, which no rollout reaches; "
                f"write at most {MOST_OF_EVERYBODY}, or name the applications"
            )
            raise ValueError(message)
        if self.at_most > MOST_OF_NAMED:
            message = f"at_most is {self.at_most}, which no rollout reaches; write at most {MOST_OF_NAMED}"
            raise ValueError(message)
        return self


class Expectation(Written):
    """What a change says of itself. What is absent is not expected: the first such decision rolls back."""

    newly_refused: Allowance | None = None
    """What the candidate refuses and the base does not."""
    newly_allowed: Allowance | None = None
    """What the candidate lets through and the base does not."""
    other: Allowance | None = None
    """What is refused for another reason, or answered otherwise."""

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Expectation:
        """Read an expectation from a JSON file.

        Raises:
            OSError: The file cannot be read.
            ValueError: It holds no expectation.
        """
        return cls.model_validate_json(Path(path).read_text(encoding="utf-8"))
