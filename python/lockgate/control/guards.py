"""What holds for every answer and every connection of the console."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpResponseBase

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from ipaddress import IPv4Network, IPv6Network

    from django.http import HttpRequest
    from uvicorn._types import (
        ASGI3Application,
        ASGIReceiveCallable,
        ASGIReceiveEvent,
        ASGISendCallable,
        Scope,
    )

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: with it browsers send `Origin: null`, and forms could not be told from forged ones.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
STRICT_TRANSPORT = "max-age=31536000"
MOST_BODY_BYTES = 1 << 20
_OF_PROXIES = {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"}


class security_headers:  # noqa: N801 - Django's word for a middleware is that of a function
    """Adds the headers; what people see is never stored by what stands between."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], object]) -> None:
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> object:
        """Answer, with the headers."""
        if self._is_async:
            return self._later(request)
        return _with_headers(request, self._get_response(request))

    async def _later(self, request: HttpRequest) -> object:
        waiting = cast("Awaitable[object]", self._get_response(request))
        return _with_headers(request, await waiting)


def _with_headers(request: HttpRequest, answer: object) -> object:
    if isinstance(answer, HttpResponseBase):
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        if not request.path.startswith("/static/"):
            answer.headers.setdefault("Cache-Control", "no-store")
        if request.is_secure():
            answer.headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT)
    return answer


class OnlyProxies:
    """Answers listed proxies only, where the console is reached through a proxy that ends TLS (H1).

    Without it, whoever asks the console's address directly would be served without TLS.
    """

    def __init__(self, app: ASGI3Application, proxies: Sequence[IPv4Network | IPv6Network]) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer, or say where to ask."""
        if scope["type"] == "http" and not self._is_proxy(scope["client"]):
            await _say(send, 421, "ask through the proxy that ends TLS")
            return
        await self._app(scope, receive, send)

    def _is_proxy(self, client: tuple[str, int] | None) -> bool:
        if client is None:
            return False
        address = ipaddress.ip_address(client[0])
        return any(address in network for network in self._proxies)


class DirectOnly:
    """Answers nobody who comes through a proxy, where none is listed.

    A route of the gateway whose upstream is the console would be a door to it (H4): the node tells each
    service where a call came from, and is known by that.
    """

    def __init__(self, app: ASGI3Application) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer, or say what to do about the proxy."""
        if scope["type"] == "http" and any(name.lower() in _OF_PROXIES for name, _ in scope["headers"]):
            await _say(send, 421, "this came through a proxy that `lockgate serve --proxy` does not list")
            return
        await self._app(scope, receive, send)


class BoundedBodies:
    """Refuses bodies that no form or API of ours sends, before they are kept anywhere."""

    def __init__(self, app: ASGI3Application, most: int = MOST_BODY_BYTES) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer, or refuse the body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        taken = 0

        async def counted() -> ASGIReceiveEvent:
            nonlocal taken
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message["body"])
            if taken > self._most:
                raise _TooLargeError
            return message

        try:
            await self._app(scope, counted, send)
        except _TooLargeError:
            # Nothing was answered yet: the whole body is read before anything looks at it.
            await _say(send, 413, f"a body has at most {self._most:,} bytes")


class _TooLargeError(Exception):
    """There is more of a body than anything of ours sends."""


async def _say(send: ASGISendCallable, status: int, text: str) -> None:
    body = f"{text}\n".encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})
