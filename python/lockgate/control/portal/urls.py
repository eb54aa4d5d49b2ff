"""The routes of the portal, under `/portal/`."""

from __future__ import annotations

from django.urls import path

from lockgate.control.portal import pages

urlpatterns = [
    path("", pages.home, name="portal_home"),
]
