"""The app of changes and rollouts."""

from __future__ import annotations

from django.apps import AppConfig


class ChangesConfig(AppConfig):
    """Changes."""

    name = "lockgate.control.changes"
    label = "changes"
