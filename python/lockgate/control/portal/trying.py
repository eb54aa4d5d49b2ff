"""Trying a call: the portal's server sends it to the gateway's own listener, with a key that nobody keeps.

What a person can name is a listener of this gateway, and a route of the API: no host, no port, no scheme. The
answer is read up to a bound, redirects are not followed, and no more than a few calls are in flight.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import re
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode, urlsplit

from django.core.cache import cache

from lockgate.control import node
from lockgate.control.portal.reference import is_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.control.portal.catalogue import Version
    from lockgate.control.portal.words import Credential

SECONDS: Final = 15.0
"""For the whole call."""
MOST_ANSWER: Final = 256 * 1024
MOST_BODY: Final = 256 * 1024
MOST_AT_ONCE: Final = 8
MOST_A_MINUTE: Final = 30
"""Of one person: the form is no way to guess keys."""
_PIECE: Final = 16 * 1024
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_VALUE: Final = re.compile(r"[\x20-\x7e]{0,4096}")
_TEXTS: Final = ("text/", "application/xml", "application/x-www-form-urlencoded", "application/javascript")
_OURS: Final = frozenset(
    {
        "host",
        "connection",
        "content-length",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "forwarded",
        "via",
        "accept-encoding",
    }
)
_slots = threading.BoundedSemaphore(MOST_AT_ONCE)


class TryError(ValueError):
    """The call is not made; the message says what to change."""


@dataclass(frozen=True)
class Wanted:
    """The call that a person wants to try."""

    method: str
    path: str
    """Of the OpenAPI document, with values filled in, as it is written into an address."""
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    body: str
    media_type: str


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    text: str | None
    """Nothing, when it is no text."""
    size: int
    is_cut: bool
    milliseconds: int
    address: str
    """What was asked, without the key."""

    @property
    def is_good(self) -> bool:
        """Whether the call did what it should."""
        return self.status < 400

    @property
    def code(self) -> str:
        """The reason of a refusal of the gateway; empty for other answers."""
        kind = next((value for name, value in self.headers if name.lower() == "content-type"), "")
        if self.text is None or not kind.startswith("application/problem+json"):
            return ""
        try:
            said = json.loads(self.text)
        except ValueError:
            return ""
        code = said.get("code") if isinstance(said, dict) else None
        return code if isinstance(code, str) else ""


def allow(person: int | None) -> None:
    """Count that somebody tries a call.

    Raises:
        TryError: They did so too often.
    """
    minute = int(time.time()) // 60
    name = f"portal.try.{person}.{minute}"
    cache.add(name, 0, 120)
    if cache.incr(name) > MOST_A_MINUTE:
        message = f"{MOST_A_MINUTE} calls a minute can be tried here; wait a moment, or call from a program"
        raise TryError(message)


def send(version: Version, wanted: Wanted, credential: Credential | None, key: str) -> Answer:
    """Make a call.

    Raises:
        TryError: It is none that this API takes, or the gateway does not answer.
    """
    address = version.path(wanted.path)
    _check(version, wanted, address)
    headers = [("User-Agent", "lockgate-portal"), ("Accept", "application/json, */*;q=0.5"), *wanted.headers]
    query = list(wanted.query)
    if credential and key:
        if _VALUE.fullmatch(key) is None:
            message = "the key has letters that no key has; copy it again"
            raise TryError(message)
        if credential.place == "query":
            query.append((credential.name, key))
        elif credential.place == "cookie":
            headers.append(("Cookie", f"{credential.name}={quote(key, safe='')}"))
        else:
            headers.append((credential.name, f"{credential.prefix}{key}"))
    body = wanted.body.encode() if wanted.body else None
    if body is not None:
        headers.append(("Content-Type", wanted.media_type or "application/json"))
    target = f"{address}?{urlencode(query)}" if query else address
    shown = f"{address}?{urlencode(wanted.query)}" if wanted.query else address
    if not _slots.acquire(timeout=2.0):
        message = "others are trying calls now; try again in a moment"
        raise TryError(message)
    try:
        return _ask(version, wanted.method, target, headers, body, shown)
    finally:
        _slots.release()


def _check(version: Version, wanted: Wanted, address: str) -> None:
    """That an API's own route takes it, and that nothing of it says more than it seems to."""
    # As the gateway itself, so that nothing is another route than it looks like.
    if re.fullmatch(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*", address) is None or re.search(
        r"(?:^|/)\.{1,2}(?:/|$)|//|%2f|%5c|%2e|%00", address, re.IGNORECASE
    ):
        message = "a value in the path may not hold slashes or dots alone"
        raise TryError(message)
    if version.route_of(wanted.method, address) is None:
        message = f"{wanted.method} {address} is no route of this version"
        raise TryError(message)
    if len(wanted.body.encode()) > MOST_BODY:
        message = f"a body of more than {MOST_BODY // 1024} KiB cannot be tried here"
        raise TryError(message)
    for name, value in (*wanted.headers, ("Content-Type", wanted.media_type)):
        if _NAME.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
            message = f"`{name[:64]}` is no header field that can be sent, or has a value that cannot"
            raise TryError(message)
        if name.lower() in _OURS or name.lower().startswith("x-forwarded-"):
            message = f"`{name}` is set by whoever sends the call"
            raise TryError(message)


def _ask(  # noqa: PLR0917 - the parts of one call
    version: Version,
    method: str,
    target: str,
    headers: Sequence[tuple[str, str]],
    body: bytes | None,
    shown: str,
) -> Answer:
    running = node.running()
    listener = next(iter(running.listeners.values()), None) if running else None
    if listener is None:
        message = "the gateway does not run now; try again in a moment"
        raise TryError(message)
    host = next((one for one in version.hosts if not one.startswith("*")), "")
    begun = time.monotonic()
    connection = _connection(listener, host)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host or urlsplit(listener).netloc)
        for name, value in headers:
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        data, is_cut = _read(answer, connection, begun + SECONDS)
    except (OSError, http.client.HTTPException) as error:
        word = "took too long" if isinstance(error, TimeoutError) else "broke off"
        message = f"the gateway did not answer: the call {word}"
        raise TryError(message) from None
    finally:
        connection.close()
    fields = tuple(answer.getheaders())
    return Answer(
        status=answer.status,
        reason=answer.reason,
        headers=fields,
        text=_text(data, fields),
        size=len(data),
        is_cut=is_cut,
        milliseconds=round((time.monotonic() - begun) * 1_000),
        address=shown,
    )


def _read(
    answer: http.client.HTTPResponse, connection: http.client.HTTPConnection, until: float
) -> tuple[bytes, bool]:
    data = b""
    while len(data) <= MOST_ANSWER:
        left = until - time.monotonic()
        if left <= 0:
            # A stream that goes on: what came so far is shown.
            return data, True
        if connection.sock is not None:
            connection.sock.settimeout(left)
        try:
            piece = answer.read1(_PIECE)
        except TimeoutError:
            return data, True
        if not piece:
            return data, False
        data += piece
    return data[:MOST_ANSWER], True


def _connection(listener: str, host: str) -> http.client.HTTPConnection:
    """To the gateway's own listener, at the address at which it listens."""
    parts = urlsplit(listener)
    address = parts.hostname or "127.0.0.1"
    own = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - a listener's word for all
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if parts.scheme != "https":
        return http.client.HTTPConnection(own, port, timeout=SECONDS)
    return _Tls(own, port, host or address)


class _Tls(http.client.HTTPSConnection):
    """Asks for the certificate of a name at the address at which the gateway listens."""

    def __init__(self, address: str, port: int, name: str) -> None:
        context = ssl.create_default_context()
        if _is_loopback(address):
            # It is this machine's own gateway, whose certificate is for the name that callers use.
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        super().__init__(address, port, timeout=SECONDS, context=context)
        self._name, self._tls = name, context

    def connect(self) -> None:
        """Connect."""
        plain = socket.create_connection((self.host, self.port), self.timeout)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self._name)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _text(data: bytes, fields: Sequence[tuple[str, str]]) -> str | None:
    kind = next((value for name, value in fields if name.lower() == "content-type"), "").lower()
    encoded = next((value for name, value in fields if name.lower() == "content-encoding"), "identity")
    if encoded != "identity" or not (is_json(kind) or kind.startswith(_TEXTS) or not data):
        return None
    text = data.decode("utf-8", "replace")
    if is_json(kind):
        try:
            return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
        except (ValueError, RecursionError):
            return text
    return text
