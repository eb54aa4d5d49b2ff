"""The pages of alerts."""

from __future__ import annotations

from django.urls import path

from lockgate.control.alerts import pages

urlpatterns = [
    path("alerts/", pages.alerts, name="alerts"),
    path("alerts/rules/", pages.rules, name="alert_rules"),
    path("alerts/<int:pk>/", pages.alert, name="alert"),
    path("blocks/", pages.blocks, name="blocks"),
    path("blocks/free/", pages.unblock, name="unblock"),
]
