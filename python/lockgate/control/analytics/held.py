"""What was added up once is held in memory of this process, for the next who asks.

The files of a part never change, so what was read of them stays true as long as the part counts. What is
held of a day that is over serves all of the next day; of the present one, each part is held for itself.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Final

from lockgate.control.analytics import duck

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

MOST_ROWS: Final = 500_000
"""So many rows are held, some hundred bytes each; what was not asked for longest goes first."""
UNUSED_SECONDS: Final = 900
"""What nobody asked for so long goes."""
GRACE_SECONDS: Final = 60
"""Somebody may be about to read what was asked for just now."""


@dataclass
class _Held:
    name: str
    rows: int = 0
    used: float = 0.0
    making: threading.Lock = field(default_factory=threading.Lock)


_lock = threading.Lock()
_held: dict[Hashable, _Held] = {}
_numbers = count(1)


def held(key: Hashable, text: Callable[[], str]) -> str:
    """The table with what a query says, which is asked the first time only.

    Args:
        key: Of what the query reads: the same says the same for ever.
        text: Gives the query.

    Raises:
        duckdb.Error: Files cannot be read.
    """
    with _lock:
        one = _held.setdefault(key, _Held(f"held_{next(_numbers)}"))
        is_made = bool(one.used)
        if is_made:
            one.used = time.monotonic()
    if not is_made:
        # Others who need the same wait, and do not read it too.
        with one.making:
            if not one.used:
                made = duck.cursor().execute(f"CREATE TABLE {one.name} AS {text()}").fetchone()
                one.rows = made[0] if made else 0
                one.used = time.monotonic()
        _let_go()
    return one.name


def rows() -> int:
    """How many rows are held."""
    with _lock:
        return sum(one.rows for one in _held.values())


def _let_go() -> None:
    now = time.monotonic()
    gone = []
    with _lock:
        left = sum(one.rows for one in _held.values())
        made = [(key, one) for key, one in _held.items() if one.used]
        for key, one in sorted(made, key=lambda pair: pair[1].used):
            unused = now - one.used
            if unused > UNUSED_SECONDS or (left > MOST_ROWS and unused > GRACE_SECONDS):
                del _held[key]
                gone.append(one.name)
                left -= one.rows
    for name in gone:
        duck.cursor().execute(f"DROP TABLE {name}")
