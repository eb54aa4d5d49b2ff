"""The app of feedback."""

from __future__ import annotations

from django.apps import AppConfig


class FeedbackConfig(AppConfig):
    """Threads and ratings."""

    name = "lockgate.control.feedback"
