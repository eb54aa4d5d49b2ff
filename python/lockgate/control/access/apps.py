"""The app of teams, applications and plans."""

from __future__ import annotations

from django.apps import AppConfig


class AccessConfig(AppConfig):
    """Who may call."""

    name = "lockgate.control.access"
