"""Waiting for what must happen, without a guess of how long it takes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Found = TypeVar("Found")
PATIENCE = 60.0
"""Seconds after which it will not happen any more, on a machine that has other work as well."""


def until(
    look: Callable[[], Found],
    is_enough: Callable[[Found], bool] = bool,
    *,
    seconds: float = PATIENCE,
    every: float = 0.05,
) -> Found:
    """Look again and again until what is found is enough; when it never is, the last of it is told."""
    end = time.monotonic() + seconds
    while not is_enough(found := look()):
        assert time.monotonic() < end, found
        time.sleep(every)
    return found
