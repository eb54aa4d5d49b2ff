"""What notifications refuse.

NotifyError        what was asked for cannot be done as it was asked
└── UnknownError   there is no such channel
"""

from __future__ import annotations


class NotifyError(Exception):
    """What was asked for cannot be done as it was asked."""


class UnknownError(NotifyError):
    """There is no such channel."""
