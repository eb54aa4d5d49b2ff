"""Where callers reach the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings

from lockgate.control import node

if TYPE_CHECKING:
    from lockgate.control.portal.catalogue import Version

UNKNOWN = "https://gateway.example.com"
"""What samples say while nobody knows."""


def address_for(version: Version) -> str:
    """The address that samples name: what the control plane is told, else that of the first listener."""
    if settings.LOCKGATE.gateway_url:
        return str(settings.LOCKGATE.gateway_url)
    running = node.running()
    first = next(iter(running.listeners.values()), UNKNOWN) if running else UNKNOWN
    host = next((one for one in version.hosts if not one.startswith("*")), "")
    if not host:
        return first
    parts = urlsplit(first)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}"
