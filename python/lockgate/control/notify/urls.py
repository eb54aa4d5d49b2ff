"""The pages of notifications."""

from __future__ import annotations

from django.urls import path

from lockgate.control.notify import pages

urlpatterns = [
    path("portal/notifications/", pages.notifications, name="notifications"),
    path("portal/notifications/<int:pk>/", pages.opened, name="notification"),
    path("portal/notifications/preferences/", pages.own_preferences, name="notification_preferences"),
    path("portal/notifications/webhooks/<int:pk>/", pages.own_channel, name="own_channel"),
    path("portal/notifications/webhooks/<int:pk>/remove/", pages.remove_own, name="remove_own_channel"),
    path("channels/", pages.channels, name="channels"),
    path("channels/<int:pk>/", pages.channel, name="channel"),
    path("channels/<int:pk>/remove/", pages.remove, name="remove_channel"),
]
