"""What is usual at an hour of the week, and how far a value is from it.

Counts are compared by their square roots: the noise of a count grows with it, that of its root hardly does.
Median and MAD (the median of distances to the median) stand for mean and deviation, so that last week's
outage does not become what is usual (Hampel 1974; Rousseeuw and Croux 1993).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

BEYOND: Final = 5.0
"""|z| beyond this is unusual."""
LEAST_VALUES: Final = 24
"""Two weeks of an hour's five minutes; with fewer, nothing is known of what is usual."""
_MAD_OF_NORMAL: Final = 0.6745
"""The MAD of a normal distribution whose deviation is 1."""
_ROOT_OF_POISSON: Final = 0.5
"""The deviation of the square root of a Poisson count, however large it is."""
_LEAST_SHARE: Final = 0.04
"""Traffic is less even than Poisson: it is taken to vary by so much of its root at least."""


def root(count: float) -> float:
    """The square root of a count, with what makes its noise the same for small ones (Anscombe 1948)."""
    return math.sqrt(max(0.0, count) + 0.375)


def count_of(value: float) -> float:
    """The count of a root."""
    return max(0.0, value * value - 0.375)


@dataclass(frozen=True)
class Baseline:
    """What is usual; values are roots."""

    centre: float
    scale: float
    values: int

    @classmethod
    def of(cls, counts: Sequence[float]) -> Baseline | None:
        """What is usual of counts of the same hour of the week; nothing when they are too few."""
        if len(counts) < LEAST_VALUES:
            return None
        roots = [root(count) for count in counts]
        centre = median(roots)
        spread = median(abs(value - centre) for value in roots) / _MAD_OF_NORMAL
        return cls(centre, max(spread, _ROOT_OF_POISSON, _LEAST_SHARE * centre), len(counts))

    def z(self, count: float) -> float:
        """How many deviations a count is away from what is usual."""
        return (root(count) - self.centre) / self.scale

    @property
    def usual(self) -> float:
        """The usual count."""
        return count_of(self.centre)

    @property
    def least(self) -> float:
        """What is still usual, downwards."""
        return count_of(max(0.0, self.centre - BEYOND * self.scale))

    @property
    def most(self) -> float:
        """What is still usual, upwards."""
        return count_of(self.centre + BEYOND * self.scale)
