"""The app of events."""

from __future__ import annotations

from django.apps import AppConfig


class EventsConfig(AppConfig):
    """Counts and exceptions."""

    name = "lockgate.control.events"
