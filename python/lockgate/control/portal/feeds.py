"""Changelogs as RSS, for readers that have no session where the catalogue is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponse
from django.urls import reverse
from django.utils.feedgenerator import Rss201rev2Feed

from lockgate.control.portal import changelog
from lockgate.control.portal.apis import find_api
from lockgate.control.portal.guides import in_line
from lockgate.control.portal.readers import for_readers

if TYPE_CHECKING:
    from django.http import HttpRequest


@for_readers
def changes(request: HttpRequest, name: str) -> HttpResponse:
    """The changelog of an API as RSS 2.0."""
    api = find_api(name)
    page = request.build_absolute_uri(reverse("portal_changelog", args=[name]))
    feed = Rss201rev2Feed(
        title=f"Changes of {api.title}",
        link=page,
        description=f"What callers of {api.title} meet, and since when.",
        language="en",
        feed_url=request.build_absolute_uri(),
    )
    for entry in changelog.entries(name, 50):
        lines = "".join(f"<li>{in_line(line['text'])}</li>" for line in entry.lines)
        feed.add_item(
            title=f"{api.title} {entry.version}".strip() + (": action needed" if entry.needs_action else ""),
            link=f"{page}#change-{entry.pk}",
            description=f"<ul>{lines}</ul>",
            pubdate=entry.at,
            unique_id=f"{page}#change-{entry.pk}",
        )
    return HttpResponse(feed.writeString("utf-8"), content_type="application/rss+xml; charset=utf-8")
