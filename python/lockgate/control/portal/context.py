"""What every page of the portal shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.conf import settings
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


PLACES: Final = (Place("portal_home", "Home", is_open=True),)


def portal_navigation(request: HttpRequest) -> dict[str, object]:
    """The pages that the reader may see, and which of them this is; nothing outside the portal."""
    if not request.path.startswith("/portal/"):
        return {}
    is_known = request.user.is_authenticated
    urls = {place: reverse(place.name) for place in PLACES if is_known or place.is_open}
    # The longest that fits: pages below a place belong to it.
    here = max((url for url in urls.values() if request.path.startswith(url)), key=len, default="")
    pages = [{"title": place.title, "url": url, "is_here": url == here} for place, url in urls.items()]
    return {"portal_navigation": pages, "is_open": settings.LOCKGATE.open_catalogue}
