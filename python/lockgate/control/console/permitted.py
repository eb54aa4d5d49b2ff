"""Which permission a page needs."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, Protocol

from django.core.exceptions import PermissionDenied

from lockgate.control.accounts.people import actor_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

Rest = ParamSpec("Rest")


class View(Protocol[Rest]):
    """A view; its first argument is the request."""

    def __call__(self, request: HttpRequest, /, *args: Rest.args, **kwargs: Rest.kwargs) -> HttpResponse:
        """Answer."""


def permitted(
    permission: str, to_change: str = ""
) -> Callable[
    [View[Rest]],
    View[Rest],
]:
    """Give a page to those who have a permission.

    Args:
        permission: What it takes to look at it.
        to_change: What it takes to send its forms; nobody can without it.
    """

    def decorate(
        view: View[Rest],
    ) -> View[Rest]:
        @wraps(view)
        def page(request: HttpRequest, /, *args: Rest.args, **kwargs: Rest.kwargs) -> HttpResponse:
            needed = permission if request.method in {"GET", "HEAD"} else to_change
            if needed not in actor_of(request).permissions:
                raise PermissionDenied(needed)
            return view(request, *args, **kwargs)

        return page

    return decorate
