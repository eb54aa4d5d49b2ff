"""What accounts refuse.

AccountError          what was asked for cannot be done as it was asked
├── ForbiddenError    the one who asks may not
└── UnknownError      there is no such account, token or link
"""

from __future__ import annotations


class AccountError(Exception):
    """What was asked for cannot be done as it was asked."""


class ForbiddenError(AccountError):
    """The one who asks may not."""


class UnknownError(AccountError):
    """There is no such account, token or link."""
