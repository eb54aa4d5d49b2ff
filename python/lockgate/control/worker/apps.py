"""The app of the worker's jobs."""

from __future__ import annotations

from django.apps import AppConfig


class WorkerConfig(AppConfig):
    """Jobs."""

    name = "lockgate.control.worker"
