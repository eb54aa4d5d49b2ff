"""Money as people read it."""

from __future__ import annotations

from typing import Final

MICROS: Final = 1_000_000
"""Recorded costs are in millionths of a US dollar."""
UNKNOWN: Final = "unknown price"
"""What stands where nobody knows; it is never 0."""


def dollars(micros: float) -> str:
    """An amount, as documents write it: `12.30 USD`. What is small keeps two figures that say something.

    Args:
        micros: Millionths of a US dollar.
    """
    amount = micros / MICROS
    places = next((places for places in (2, 3, 4, 5) if abs(amount) >= 10 ** (1 - places)), 6)
    return f"{amount:,.{places if amount else 2}f} USD"


def unpriced(calls: int) -> str:
    """So many calls whose price nobody knows, in words."""
    return f"{calls:,} call{'' if calls == 1 else 's'} of {UNKNOWN}"
