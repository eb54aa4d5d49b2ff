"""The application that the server runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.core.asgi import get_asgi_application
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from lockgate.control.guards import BoundedBodies, DirectOnly, OnlyProxies

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

    from lockgate.control.configuration import ControlSettings


def application() -> ASGI3Application:
    """Nodes and Django; behind listed proxies, which alone are believed about scheme and client (H5)."""
    django_app = cast("ASGI3Application", get_asgi_application())
    # Its models are there only now.
    from lockgate.control.nodes.endpoint import NodesEndpoint  # noqa: PLC0415

    lockgate: ControlSettings = settings.LOCKGATE
    app = NodesEndpoint(BoundedBodies(django_app))
    if not lockgate.proxies:
        return DirectOnly(app)
    believed = ProxyHeadersMiddleware(app, trusted_hosts=[str(network) for network in lockgate.proxies])
    if lockgate.is_tls:
        return believed
    return OnlyProxies(believed, lockgate.proxies)
