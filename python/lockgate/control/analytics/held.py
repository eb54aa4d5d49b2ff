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

MOST_BYTES: Final = 320 << 20
"""So much is held, well within `duck.MOST_MEMORY`; what was not asked for longest goes first, and what
is more than that within `GRACE_SECONDS` is read again each time."""
UNUSED_SECONDS: Final = 900
"""What nobody asked for so long goes."""
GRACE_SECONDS: Final = 60
"""Somebody may be about to read what was asked for just now."""


@dataclass
class _Held:
    name: str
    size: int = 0
    """Bytes, about."""
    used: float = 0.0
    making: threading.Lock = field(default_factory=threading.Lock)


_lock = threading.Lock()
_held: dict[Hashable, _Held] = {}
_numbers = count(1)
_SMALL_ROWS: Final = 2_048
_SMALL_BYTES: Final = 24 << 10
_BLOCK_ROWS: Final = 30_000
_BLOCK_BYTES: Final = 288 << 10
"""Room that DuckDB takes for a column of a few rows, and for one of more, however few of them there are."""


def held(key: Hashable, text: Callable[[], str]) -> str:
    """The table with what a query says, which is asked the first time only; the query when no more is held.

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
                if size() >= MOST_BYTES and _let_go() >= MOST_BYTES:
                    return f"({text()})"
                one.size = _make(one.name, text())
                one.used = time.monotonic()
        _let_go()
    return one.name


def size() -> int:
    """How many bytes are held, about."""
    with _lock:
        return sum(one.size for one in _held.values())


def _make(name: str, text: str) -> int:
    """Make a table; gives about how many bytes it takes."""
    cursor = duck.cursor()
    made = cursor.execute(f"CREATE TABLE {name} AS {text}").fetchone()
    rows = made[0] if made else 0
    columns = len(cursor.execute(f"SELECT * FROM {name} LIMIT 0").description)
    return columns * (_SMALL_BYTES if rows <= _SMALL_ROWS else -(-rows // _BLOCK_ROWS) * _BLOCK_BYTES)


def _let_go() -> int:
    """Drop what nobody asks for; gives how many bytes are left, about."""
    now = time.monotonic()
    gone = []
    with _lock:
        left = sum(one.size for one in _held.values())
        made = [(key, one) for key, one in _held.items() if one.used]
        for key, one in sorted(made, key=lambda pair: pair[1].used):
            unused = now - one.used
            if unused > UNUSED_SECONDS or (left >= MOST_BYTES and unused > GRACE_SECONDS):
                del _held[key]
                gone.append(one.name)
                left -= one.size
    for name in gone:
        duck.cursor().execute(f"DROP TABLE {name}")
    return left
