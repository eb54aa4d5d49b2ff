"""The pages of analytics."""

from __future__ import annotations

from django.urls import path

from lockgate.control.analytics import pages

urlpatterns = [
    path("analytics/", pages.page, name="analytics"),
    path("analytics/<slug:name>/", pages.page, name="analytics_page"),
]
