"""Where people reach this installation: what links in messages begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from lockgate.control.configuration import ControlSettings


def base() -> str:
    """The address of the console, without a slash at its end."""
    known: ControlSettings = settings.LOCKGATE
    host, port = known.address
    if known.names:
        host = known.names[0]
    elif ":" in host:
        host = f"[{host}]"
    if known.proxies and not known.is_tls:
        # The proxy listens where https is; our own port is between it and us.
        return f"https://{host}"
    scheme, usual = ("https", 443) if known.is_tls else ("http", 80)
    return f"{scheme}://{host}" if port == usual else f"{scheme}://{host}:{port}"
