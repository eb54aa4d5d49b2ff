"""The app of alerts."""

from __future__ import annotations

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """Alerts, their rules, and the blocks that answer them."""

    name = "lockgate.control.alerts"
