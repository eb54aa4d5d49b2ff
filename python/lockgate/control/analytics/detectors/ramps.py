"""CUSUM: what grows or shrinks too slowly for a single value to be unusual (Page 1954)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

SLACK: Final = 1.5
"""How many deviations may last for ever: days differ."""
LIMIT: Final = 14.0
"""How much of what is beyond that adds up to a ramp."""
_MOST: Final = 5.0
"""One value alone counts no more than this, so that an outlier is no ramp."""


@dataclass(frozen=True)
class Ramp:
    """The sums at the end of a series: upwards and downwards."""

    up: float
    down: float

    @property
    def is_up(self) -> bool:
        """Whether the series grew beyond what is usual."""
        return self.up > LIMIT

    @property
    def is_down(self) -> bool:
        """Whether it shrank beyond what is usual."""
        return self.down > LIMIT


def ramp(deviations: Iterable[float]) -> Ramp:
    """The sums of a series of z values, oldest first."""
    up = down = 0.0
    for z in deviations:
        bounded = max(-_MOST, min(_MOST, z))
        up = max(0.0, up + bounded - SLACK)
        down = max(0.0, down - bounded - SLACK)
    return Ramp(up, down)
