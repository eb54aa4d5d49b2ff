"""Pages that say what went wrong, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import render

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 - as Django calls it
    """A form that did not come from one of our pages, or from one that is too old."""
    return _page(
        request,
        403,
        "This form is not ours, or too old",
        "Nothing was changed. Open the page again, and send its form; if you came from another site, "
        "it tried to act in your name.",
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    """A request that nobody can answer."""
    return _page(request, 400, "This request makes no sense", "Open the page from the console itself.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A page that the person may not see."""
    needed = str(exception)
    return _page(
        request,
        403,
        "You may not do this",
        f"It takes the permission {needed or 'for it'}, which your role does not have. A platform admin can "
        "give you another role.",
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    """No such page."""
    return _page(request, 404, "There is no such page", "It may have been moved; the overview leads on.")


def server_error(request: HttpRequest) -> HttpResponse:
    """A fault of ours."""
    return _page(
        request, 500, "Something broke here", "Nothing was changed. The process's log says what it was."
    )


def _page(request: HttpRequest, status: int, title: str, what: str) -> HttpResponse:
    return render(request, "console/error.html", {"title": title, "what": what}, status=status)
