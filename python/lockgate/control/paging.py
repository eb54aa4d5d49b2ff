"""Lists a page at a time: what is on a page, and where the next one begins."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Row = TypeVar("Row")
At = TypeVar("At")
Place = tuple[int, str]
"""Where a page begins: before what has that time and that name."""


class CursorError(ValueError):
    """A cursor that none of our answers gave."""


def page_of(found: Sequence[Row], most: int, at: Callable[[Row], At]) -> tuple[list[Row], At | None]:
    """The rows of a page, and where the next one begins.

    Args:
        found: The rows from where the page begins; one more than a page has, when there is a next one.
        most: How many a page has.
        at: Where a row stands.
    """
    return list(found[:most]), at(found[most - 1]) if len(found) > most else None


def cursor(place: Place) -> str:
    """A place as text."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def read_cursor(text: str) -> Place:
    """The place of a cursor.

    Raises:
        CursorError: It is none.
    """
    try:
        at, request = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return int(at), str(request)
    except (ValueError, TypeError, binascii.Error):
        message = f"`{text[:64]}` is not a cursor; send the one of the answer before, or none"
        raise CursorError(message) from None


def place_of(text: str) -> Place | None:
    """The place of a cursor in the address of a page; the beginning when it is none."""
    try:
        return read_cursor(text) if text else None
    except CursorError:
        return None
