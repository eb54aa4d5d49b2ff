"""The app of the cluster's nodes."""

from __future__ import annotations

from django.apps import AppConfig


class NodesConfig(AppConfig):
    """Nodes."""

    name = "lockgate.control.nodes"
