"""The form of the secrets that applications get: a prefix, what was drawn at random, and a checksum.

The prefix lets scanners of repositories and our own recordings know one when they see it; the checksum tells
a mistyped one from one that is unknown without asking anybody. A double click marks the whole of it.
"""

from __future__ import annotations

import hashlib
import secrets
import zlib
from typing import Final

PREFIX: Final = "lg_"
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM: Final = 43
"""Digits: 256 bits and a little more."""
_CHECK: Final = 6
"""Digits of a CRC-32 in base 62."""
SHOWN: Final = 10
"""How many characters are kept, to tell several apart."""


def make() -> str:
    """A new secret."""
    body = PREFIX + "".join(secrets.choice(_DIGITS) for _ in range(_RANDOM))
    return body + _checksum(body)


def is_whole(text: str) -> bool:
    """Whether it can be a secret of ours: no character is wrong, missing or too many."""
    body, check = text[:-_CHECK], text[-_CHECK:]
    return body.startswith(PREFIX) and len(body) == len(PREFIX) + _RANDOM and _checksum(body) == check


def digest(secret: str) -> str:
    """What is kept of a secret: its SHA-256. It is random, so no slower hash would make it safer."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _checksum(body: str) -> str:
    rest, digits = zlib.crc32(body.encode("utf-8", "surrogateescape")), ""
    for _ in range(_CHECK):
        rest, digit = divmod(rest, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
