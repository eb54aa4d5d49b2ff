"""The app of analytics."""

from __future__ import annotations

from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    """Events in Parquet and what is asked of them."""

    name = "lockgate.control.analytics"
