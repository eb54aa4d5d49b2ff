"""The app of the portal."""

from __future__ import annotations

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """Pages for those who call APIs."""

    name = "lockgate.control.portal"
