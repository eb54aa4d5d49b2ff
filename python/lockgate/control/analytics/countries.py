"""The country of an address, out of a MaxMind DB file that somebody gave us. None comes with us."""

from __future__ import annotations

import logging
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import maxminddb
from django.conf import settings

if TYPE_CHECKING:
    from pathlib import Path

    from maxminddb import Reader

log = logging.getLogger(__name__)

MOST_BYTES: Final = 256 << 20
"""More than any database of countries has; it is read into memory."""
_lock = threading.Lock()
_open: dict[Path, tuple[tuple[int, int], Reader]] = {}


def is_set() -> bool:
    """Whether there is a database."""
    return settings.LOCKGATE.countries is not None


def country_of(network: str) -> str:
    """The ISO code of the country of a network; empty when it is not known.

    Args:
        network: Such as `192.0.2.0/24`.
    """
    path = settings.LOCKGATE.countries
    return _looked_up(path, _stamp(path), network.partition("/")[0]) if path is not None else ""


def problem(path: Path) -> str:
    """Why a file is no database of countries; empty when it is one."""
    try:
        _read(path).close()
    except (OSError, ValueError) as error:
        return str(error)
    return ""


@lru_cache(maxsize=50_000)
def _looked_up(path: Path, stamp: tuple[int, int], address: str) -> str:
    reader = _reader(path, stamp)
    if reader is None:
        return ""
    try:
        found: Any = reader.get(address)
    except (ValueError, maxminddb.InvalidDatabaseError):
        return ""
    return _code(found)


def _code(found: Any) -> str:  # noqa: ANN401 - whatever stands in the file
    """The code in what is said of an address: vendors write it in one of these ways."""
    if not isinstance(found, dict):
        return ""
    said = found.get("country", found.get("country_code"))
    code = said.get("iso_code") if isinstance(said, dict) else said
    return code if isinstance(code, str) and len(code) == 2 and code.isalpha() and code.isupper() else ""


def _reader(path: Path, stamp: tuple[int, int]) -> Reader | None:
    with _lock:
        known = _open.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            reader = _read(path)
        except (OSError, ValueError) as error:
            # A new one may be half written: what was known holds until it can be read.
            log.warning("countries are not known: %s", error)
            return known[1] if known else None
        _open[path] = (stamp, reader)
        return reader


def _read(path: Path) -> Reader:
    size = path.stat().st_size
    if size > MOST_BYTES:
        message = f"`{path}` has {size >> 20} MiB; countries fit into {MOST_BYTES >> 20}"
        raise ValueError(message)
    try:
        # In memory: whoever replaces the file does not pull it away from under a reading.
        reader = maxminddb.open_database(path, maxminddb.MODE_MEMORY)
    except maxminddb.InvalidDatabaseError:
        message = f"`{path}` is no MaxMind DB file"
        raise ValueError(message) from None
    return reader


def _stamp(path: Path) -> tuple[int, int]:
    """What changes when the file is replaced."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return found.st_mtime_ns, found.st_size
