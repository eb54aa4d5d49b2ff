"""Names of teams, applications and plans: what the gateway's documents take, in lower case."""

from __future__ import annotations

import re

from lockgate.control.access.models import NAME_CHARACTERS
from lockgate.control.accounts.errors import AccountError

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_RESERVED = "lockgate."


def check(name: str, what: str) -> str:
    """A name that can be one, without what stands around it.

    Raises:
        AccountError: It cannot be.
    """
    trimmed = name.strip()
    if not _NAME.fullmatch(trimmed) or len(trimmed) > NAME_CHARACTERS or trimmed.startswith(_RESERVED):
        message = (
            f"`{name[:80]}` cannot be the name of {what}; write at most {NAME_CHARACTERS} lower-case "
            "letters, digits, hyphens, underscores and dots, such as web-shop"
        )
        raise AccountError(message)
    return trimmed


def text(given: str, most: int) -> str:
    """What people wrote, as it is kept: databases disagree about NUL."""
    return given.replace("\x00", "").strip()[:most]
