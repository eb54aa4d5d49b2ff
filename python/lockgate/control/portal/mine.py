"""The reader's own applications."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.control.access.services import applications_of
from lockgate.control.accounts.people import actor_of
from lockgate.control.portal import usage

if TYPE_CHECKING:
    from django.http import HttpRequest

    from lockgate.control.access.models import Application
    from lockgate.control.portal.catalogue import Version


def my_applications(request: HttpRequest) -> list[Application]:
    """The reader's applications; none of somebody who is not signed in."""
    return applications_of(actor_of(request)) if request.user.is_authenticated else []


def chosen_application(request: HttpRequest) -> tuple[list[Application], Application | None]:
    """The reader's applications, and the one that the address names, else the first."""
    mine = my_applications(request)
    wanted = request.GET.get("application", "") or request.POST.get("application", "")
    return mine, next((one for one in mine if one.name == wanted), mine[0] if mine else None)


def calls_to_ending(request: HttpRequest, version: Version) -> list[dict[str, object]]:
    """How often each of the reader's applications called a version that ends, in the last week."""
    if version.deprecation is None:
        return []
    mine = my_applications(request)
    counted = usage.calls_to([one.name for one in mine], version.api, version.name, 7)
    found = [(one, counted.get(one.name)) for one in mine]
    return [
        {"application": one, "calls": used.calls if used else 0, "last": used.last if used else None}
        for one, used in found
    ]
