"""What changes refuse.

ChangeError              what was asked for cannot be done as it was asked
├── NotAllowedError      the one who asks may not
├── UnknownChangeError   there is no such change
└── UnsoundError         a text has errors, each with its place
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockgate.models import Problem


class ChangeError(Exception):
    """What was asked for cannot be done as it was asked."""


class NotAllowedError(ChangeError):
    """The one who asks may not."""


class UnknownChangeError(ChangeError):
    """There is no such change."""


class UnsoundError(ChangeError):
    """A text has errors.

    Args:
        message: What this keeps from being done.
        problems: The errors.
    """

    def __init__(self, message: str, problems: list[Problem]) -> None:
        super().__init__(message)
        self.problems = problems
