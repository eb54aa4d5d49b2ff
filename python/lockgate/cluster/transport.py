"""The calls of a node to its control plane, one at a time, and the thread that makes them."""

from __future__ import annotations

import http.client
import ssl
import threading
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from lockgate.cluster.asking import Wait
from lockgate.cluster.identity import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from lockgate.cluster.identity import Request

TIMEOUT_SECONDS: Final = 60.0
"""Longer than the control plane lets a question wait."""
MOST_ANSWER_BYTES: Final = 256 << 20
"""As many as the largest bundle has."""


class Transport:
    """Sends requests to a control plane.

    Args:
        control: Its address.
        ca: A file with the certificates that are trusted; those of the system by default.
    """

    def __init__(self, control: str, ca: str | None = None) -> None:
        parts = urlsplit(control)
        self._host, self._path = parts.netloc, parts.path
        self._tls = ssl.create_default_context(cafile=ca) if parts.scheme == "https" else None

    def __call__(self, request: Request) -> Answer | None:
        """The answer; nothing when there is none."""
        connection: http.client.HTTPConnection
        if self._tls is not None:
            connection = http.client.HTTPSConnection(self._host, timeout=TIMEOUT_SECONDS, context=self._tls)
        else:
            connection = http.client.HTTPConnection(self._host, timeout=TIMEOUT_SECONDS)
        try:
            return self._send(connection, request)
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def _send(self, connection: http.client.HTTPConnection, request: Request) -> Answer | None:
        target = self._path + request.target
        if isinstance(request.body, bytes):
            connection.request(request.method, target, request.body, request.headers)
        else:
            size = str(request.body.stat().st_size)
            with request.body.open("rb") as file:
                connection.request(request.method, target, file, {**request.headers, "Content-Length": size})
        got = connection.getresponse()
        body = got.read(MOST_ANSWER_BYTES + 1)
        if len(body) > MOST_ANSWER_BYTES:
            return None
        return Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, body)


class Line:
    """Makes the calls of a conversation, here or in a thread of its own.

    Args:
        talk: The conversation.
        send: Sends a request.
    """

    def __init__(
        self,
        talk: Generator[Request | Wait, Answer | None, None],
        send: Callable[[Request], Answer | None],
    ) -> None:
        self._talk, self._send = talk, send
        self._stopping = threading.Event()
        self._step: Request | Wait = next(talk)

    def until(self, is_enough: Callable[[], bool]) -> None:
        """Talk until something holds, or it is told to stop."""
        while not self._stopping.is_set() and not is_enough():
            if isinstance(self._step, Wait):
                self._stopping.wait(self._step.seconds)
                answer = None
            else:
                answer = self._send(self._step)
            self._step = self._talk.send(answer)

    def start(self) -> None:
        """Talk in a thread until it is told to stop, or the process ends."""
        threading.Thread(target=self.until, args=(lambda: False,), name="control plane", daemon=True).start()

    def stop(self) -> None:
        """Ask nothing more."""
        self._stopping.set()
