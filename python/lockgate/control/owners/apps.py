"""The app of owners of APIs."""

from __future__ import annotations

from django.apps import AppConfig


class OwnersConfig(AppConfig):
    """Owners."""

    name = "lockgate.control.owners"
