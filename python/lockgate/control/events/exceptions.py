"""Looking through exceptions."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Q

from lockgate.control.events.models import CallException
from lockgate.control.events.recordings import node_named

if TYPE_CHECKING:
    from collections.abc import Sequence

Place = tuple[int, str]
"""Where a page begins: before the exception of that time and request."""


class CursorError(ValueError):
    """A cursor that none of our answers gave."""


@dataclass(frozen=True)
class Wanted:
    """Which exceptions are wanted; what is empty wants all."""

    alert: str = ""
    code: str = ""
    api: str = ""
    application: str = ""
    source: str = ""
    request: str = ""
    """The id that the caller was told."""
    node: str = ""
    """What people call it."""

    @property
    def fields(self) -> dict[str, str]:
        """The filters that are set."""
        return {name: value for name, value in vars(self).items() if value}

    @property
    def kept(self) -> dict[str, str]:
        """The same as exceptions are kept."""
        return self.fields | ({"node": node_named(self.node)} if self.node else {})


def page(
    wanted: Wanted, before: Place | None, most: int, fresh: Sequence[CallException] = ()
) -> tuple[list[CallException], str | None]:
    """A page of exceptions, newest first, and the cursor of the next one.

    Args:
        wanted: Which.
        before: Where the page begins.
        most: How many.
        fresh: Those that are not in the database yet.
    """
    kept = wanted.kept
    stored = CallException.objects.filter(**kept)
    new = [one for one in fresh if all(getattr(one, name) == it for name, it in kept.items())]
    if before is not None:
        at, request = before
        stored = stored.filter(Q(at__lt=at) | Q(at=at, request__lt=request))
        new = [one for one in new if (one.at, one.request) < before]
    found = [*new, *stored.order_by("-at", "-request")[: most + 1]]
    found.sort(key=place, reverse=True)
    more = len(found) > most
    return found[:most], cursor(place(found[most - 1])) if more else None


def place(exception: CallException) -> Place:
    """Where an exception stands."""
    return exception.at, exception.request


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
