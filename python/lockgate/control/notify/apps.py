"""The app of notifications."""

from __future__ import annotations

from django.apps import AppConfig


class NotifyConfig(AppConfig):
    """Notifications and their deliveries."""

    name = "lockgate.control.notify"
