"""What every page of the portal shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.urls import reverse

if TYPE_CHECKING:
    from django.http import HttpRequest


@dataclass(frozen=True)
class Place:
    """A page that the navigation names."""

    name: str
    """Of its route."""
    title: str
    is_open: bool = False
    """Whether it can be read without signing in, where the catalogue is open."""


PLACES: Final = (
    Place("portal_home", "Home", is_open=True),
    Place("portal_apis", "APIs", is_open=True),
    Place("my_applications", "Applications"),
    Place("portal_exceptions", "Exceptions"),
    Place("portal_usage", "Usage"),
    Place("portal_notices", "Notices"),
    Place("portal_status", "Status", is_open=True),
    Place("feedback_threads", "Feedback"),
    Place("portal_learning", "Learn", is_open=True),
)


def portal_navigation(request: HttpRequest) -> dict[str, object]:
    """The pages that the reader may see, and which of them this is; nothing outside the portal."""
    if not request.path.startswith("/portal/"):
        return {}
    is_known = request.user.is_authenticated
    urls = {place: reverse(place.name) for place in PLACES if is_known or place.is_open}
    # The longest that fits: pages below a place belong to it.
    here = max((url for url in urls.values() if request.path.startswith(url)), key=len, default="")
    pages = [{"title": place.title, "url": url, "is_here": url == here} for place, url in urls.items()]
    return {"portal_navigation": pages, "page_path": _page_path(request)}


def _page_path(request: HttpRequest) -> str:
    """The page that is looked at, as it can be opened again: the answer to a form is its page."""
    match = request.resolver_match
    return request.path.removesuffix("try/") if match and match.url_name == "portal_try" else request.path
