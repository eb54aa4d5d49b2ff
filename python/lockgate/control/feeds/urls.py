"""The routes of feeds."""

from __future__ import annotations

from django.urls import path

from lockgate.control.feeds import pages

urlpatterns = [
    path("feeds/", pages.feeds, name="feeds"),
    path("feeds/<slug:name>/", pages.feed, name="feed"),
    path("feeds/<slug:name>/look/", pages.look_now, name="feed_look"),
    path("feeds/<slug:name>/agree/", pages.agree, name="feed_agree"),
    path("feeds/<slug:name>/remove/", pages.remove, name="feed_remove"),
]
