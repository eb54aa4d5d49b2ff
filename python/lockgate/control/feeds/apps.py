"""The app of feeds."""

from __future__ import annotations

from django.apps import AppConfig


class FeedsConfig(AppConfig):
    """Feeds."""

    name = "lockgate.control.feeds"
