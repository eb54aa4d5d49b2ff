"""Requests to addresses that people wrote: only to the world outside, unless a network is allowed (H20).

OutboundError           the request was not made, or had no answer
├── RefusedError        its address is none that we ask
├── TooLargeError       the answer is larger than what was asked for
└── UnreachableError    nobody answered in time
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpcore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

SECONDS: Final = 15.0
"""For one request, from looking its name up to the end of its answer."""
MOST_ANSWER_BYTES: Final = 4_096
"""What an answer says beyond is not read."""
_HIDING: Final = tuple(
    # Addresses that carry an IPv4 address which the sender may choose: NAT64, 6to4, Teredo, IPv4-compatible.
    ipaddress.ip_network(text)
    for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")
)


class OutboundError(Exception):
    """The request was not made, or had no answer."""


class RefusedError(OutboundError):
    """Its address is none that we ask."""


class TooLargeError(OutboundError):
    """The answer is larger than what was asked for."""


class UnreachableError(OutboundError):
    """Nobody answered in time."""


@dataclass(frozen=True)
class Answer:
    """What the other side said."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    text: str
    """How it begins."""


@dataclass(frozen=True)
class Fetched:
    """What stands at a URL."""

    status: int
    body: bytes


def check_url(url: str, allowed: Sequence[IPv4Network | IPv6Network]) -> None:
    """See that a URL can be asked at all, without looking its name up.

    Raises:
        RefusedError: It cannot.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        message = "this is not a URL; write one such as https://hooks.example.com/lockgate"
        raise RefusedError(message) from None
    if not url.isascii() or any(ord(character) <= 32 or ord(character) == 127 for character in url):
        message = "a URL has no spaces and no characters beyond ASCII; write those as %20 and the like"
        raise RefusedError(message)
    if parts.scheme not in {"https", "http"} or not host or port == 0:
        message = "write a URL such as https://hooks.example.com/lockgate"
        raise RefusedError(message)
    if parts.username is not None or parts.password is not None:
        message = "a user name and a password do not belong into a URL; they end in logs"
        raise RefusedError(message)
    if parts.scheme == "http" and not allowed:
        message = "what is sent could be read on its way; write https://"
        raise RefusedError(message)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return
    _check(address, allowed)


def post(
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    allowed: Sequence[IPv4Network | IPv6Network] = (),
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Send a body to a URL. No other place that an answer names is asked, and no proxy of the environment.

    Args:
        url: Where to.
        body: What.
        headers: With these fields.
        allowed: Networks that may be asked though they are not of the world outside.
        tls: Which certificates are believed; those of the system by default.

    Raises:
        RefusedError: Its address is none that we ask.
        UnreachableError: Nobody answered in time.
    """
    with _asked("POST", url, body, headers, allowed, tls) as response:
        text = _beginning(response.iter_stream(), MOST_ANSWER_BYTES).decode("utf-8", "replace")
        fields = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        return Answer(response.status, fields, text)


def fetch(
    url: str,
    *,
    most: int,
    headers: Mapping[str, str] | None = None,
    allowed: Sequence[IPv4Network | IPv6Network] = (),
    tls: ssl.SSLContext | None = None,
) -> Fetched:
    """Get what stands at a URL, by the same guard as `post`.

    Args:
        url: Where.
        most: The bytes that are taken.
        headers: With these fields.
        allowed: Networks that may be asked though they are not of the world outside.
        tls: Which certificates are believed; those of the system by default.

    Raises:
        RefusedError: Its address is none that we ask.
        TooLargeError: There is more.
        UnreachableError: Nobody answered in time.
    """
    with _asked("GET", url, b"", headers or {}, allowed, tls) as response:
        body = _beginning(response.iter_stream(), most + 1)
        if len(body) > most:
            message = f"the answer has more than {most:,} bytes"
            raise TooLargeError(message)
        return Fetched(response.status, body)


@contextmanager
def _asked(  # noqa: PLR0917 - what the two above are asked for
    method: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    allowed: Sequence[IPv4Network | IPv6Network],
    tls: ssl.SSLContext | None,
) -> Iterator[httpcore.Response]:
    check_url(url, allowed)
    network = _Guarded(allowed, time.monotonic() + SECONDS, is_plain=urlsplit(url).scheme == "http")
    timeout = dict.fromkeys(("connect", "read", "write", "pool"), SECONDS)
    try:
        with (
            httpcore.ConnectionPool(
                ssl_context=tls or ssl.create_default_context(), network_backend=network, http2=False
            ) as pool,
            pool.stream(
                method,
                url,
                headers=[(name.encode(), value.encode()) for name, value in headers.items()],
                content=body,
                extensions={"timeout": timeout},
            ) as response,
        ):
            yield response
    except OutboundError:
        raise
    except (httpcore.TimeoutException, TimeoutError):
        message = f"no answer within {SECONDS:.0f} seconds"
        raise UnreachableError(message) from None
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        message = f"it cannot be reached: {str(error) or type(error).__name__}"[:200]
        raise UnreachableError(message) from None


def look_up(host: str) -> list[str]:
    """The addresses of a name, at most four.

    Raises:
        UnreachableError: There is none.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        message = f"the name {host} leads nowhere"
        raise UnreachableError(message) from None
    return list(dict.fromkeys(str(one[4][0]).partition("%")[0] for one in found))[:4]


def _beginning(pieces: Iterable[bytes], most: int) -> bytes:
    taken = b""
    for piece in pieces:
        taken += piece
        if len(taken) >= most:
            break
    return taken[:most]


def _check(address: IPv4Address | IPv6Address, allowed: Sequence[IPv4Network | IPv6Network]) -> None:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    seen = mapped or address
    if any(seen in network for network in allowed):
        return
    hides = any(seen in network for network in _HIDING)
    if not seen.is_global or seen.is_multicast or seen.is_reserved or hides:
        message = (
            f"{address} is not of the world outside; LOCKGATE_WEBHOOK_PRIVATE names networks that are allowed"
        )
        raise RefusedError(message)


class _Guarded(httpcore.NetworkBackend):
    """Looks a name up once, checks each address, and connects to the one that was checked.

    A name that leads elsewhere at a second look (DNS rebinding) is not looked up a second time.
    """

    def __init__(
        self, allowed: Sequence[IPv4Network | IPv6Network], deadline: float, *, is_plain: bool
    ) -> None:
        self._allowed, self._deadline, self._is_plain = allowed, deadline, is_plain
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = look_up(host)
        # All of them: a name that leads here as well as outside is not to be trusted with either.
        for address in addresses:
            _check(ipaddress.ip_address(address), self._allowed)
            if self._is_plain and not any(
                ipaddress.ip_address(address) in network for network in self._allowed
            ):
                message = "what is sent could be read on its way; write https://"
                raise RefusedError(message)
        return self._connected(addresses, port, timeout, local_address, socket_options)

    def _connected(
        self,
        addresses: list[str],
        port: int,
        timeout: float | None,
        local_address: str | None,
        socket_options: Iterable[Any] | None,
    ) -> httpcore.NetworkStream:
        last: Exception = UnreachableError("its name leads nowhere")
        for address in addresses:
            try:
                stream = self._network.connect_tcp(
                    address, port, _left(self._deadline, timeout), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
            else:
                return _Bounded(stream, self._deadline)
        raise last


class _Bounded(httpcore.NetworkStream):
    """A connection that ends at a deadline, however slowly the other side goes on."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        inner = self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline, timeout))
        return _Bounded(inner, self._deadline)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as httpcore has it
        return self._stream.get_extra_info(info)


def _left(deadline: float, timeout: float | None) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return min(left, timeout) if timeout is not None else left
