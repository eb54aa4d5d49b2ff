"""The app of what is served."""

from __future__ import annotations

from django.apps import AppConfig


class RoutesConfig(AppConfig):
    """Routes."""

    name = "lockgate.control.routes"
