"""Looking through exceptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Q

from lockgate.control.events.models import CallException
from lockgate.control.events.recordings import node_named
from lockgate.control.paging import cursor, page_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.control.paging import Place


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
    return page_of(found, most, lambda one: cursor(place(one)))


def place(exception: CallException) -> Place:
    """Where an exception stands."""
    return exception.at, exception.request
