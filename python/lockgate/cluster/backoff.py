"""How long a node waits before it asks again: a random time, up to a bound that doubles with each failure.

Nodes that failed together must not come back together (F14). "Full jitter" spreads them over the whole of the
time instead of around its end.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

MOST_RETRY_AFTER: Final = 600.0
"""No answer makes a node wait longer."""


@dataclass
class Backoff:
    """Counts failures in a row.

    Args:
        first: Seconds that the first wait lasts at most.
        most: Seconds that any wait lasts at most.
    """

    first: float = 1.0
    most: float = 60.0
    random: random.Random = field(default_factory=random.SystemRandom)
    failures: int = 0

    def failed(self, retry_after: float | None = None) -> float:
        """Seconds to wait after a failure. What the control plane asks for is waited in any case."""
        bound = min(self.most, self.first * 2.0 ** min(self.failures, 30))
        self.failures += 1
        asked = min(max(retry_after or 0.0, 0.0), MOST_RETRY_AFTER)
        return asked + self.random.uniform(0.0, bound)

    def succeeded(self) -> None:
        """Begin from the shortest wait again."""
        self.failures = 0


def retry_after(text: str | None) -> float | None:
    """The seconds of a `Retry-After` field; a date is none that our control plane writes."""
    return float(text) if text and text.isascii() and text.isdecimal() else None
