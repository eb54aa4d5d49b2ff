"""What the sample services share: JSON over HTTP, and an end together with the demo."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import re
import socket
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LARGEST_BODY = 64 * 1024


@dataclass(frozen=True)
class Request:
    """A request as a handler gets it."""

    query: Mapping[str, str]
    fields: Mapping[str, str]
    body: bytes = b""

    def json(self) -> object:
        """The body as JSON.

        Raises:
            RefusedError: It is none.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise RefusedError(400, "the body is not JSON") from None


@dataclass(frozen=True)
class Answer:
    """What a handler answers; without `body` it is empty. A text is sent as it is, all else as JSON."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


class RefusedError(Exception):
    """A request that a handler cannot serve, with the reason for the caller."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.answer = problem(status, detail)


def problem(status: int, detail: str) -> Answer:
    """An answer that says what is wrong (RFC 9457)."""
    title = http.HTTPStatus(status).phrase
    body = {"title": title, "status": status, "detail": detail}
    return Answer(status, body, media_type="application/problem+json")


class Service(http.server.ThreadingHTTPServer):
    """Serves handlers by method and path; a path such as `/levels/{sku}` hands over its variables by name."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, routes: Mapping[tuple[str, str], Callable[..., Answer]]) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.routes = [
            (method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)), handler)
            for (method, path), handler in routes.items()
        ]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def find(self, method: str, path: str) -> Callable[[Request], Answer]:
        """The handler of a request.

        Raises:
            RefusedError: There is none.
        """
        matches = [
            (known, found, handler)
            for known, pattern, handler in self.routes
            if (found := pattern.fullmatch(path))
        ]
        if not matches:
            raise RefusedError(404, f"there is no `{path}`")
        for known, found, handler in matches:
            if known == method:
                return lambda request: handler(request, **found.groupdict())
        raise RefusedError(405, f"use {', '.join(sorted(known for known, _, _ in matches))}")

    def handle_error(self, *_: object) -> None:
        """A caller that went away is no error; anything else ends in an answer with 500."""


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # Head and body leave in one piece; in two, the second would wait for the caller's acknowledgement.
    wbufsize = -1
    server: Service

    def answer(self) -> None:
        """Answer one request."""
        try:
            url = urlsplit(self.path)
            handler = self.server.find(self.command, url.path)
            fields = {name.lower(): value for name, value in self.headers.items()}
            answer = handler(Request(dict(parse_qsl(url.query)), fields, self._body()))
        except RefusedError as refused:
            answer = refused.answer
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the caller gets an answer
            print(f"{self.command} {self.path}: {error!r}", file=sys.stderr, flush=True)
            answer = problem(500, "the service has failed")
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        body = b"" if answer.body is None else text.encode()
        self.send_response(answer.status)
        if body:
            self.send_header("Content-Type", answer.media_type)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - names that http.server asks for

    def finish(self) -> None:
        """Take what still comes: a connection that is closed over unread bytes takes the answer with it."""
        super().finish()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(1)
            for _ in range(64):
                if not self.connection.recv(LARGEST_BODY):
                    break

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self.close_connection = True
            raise RefusedError(411, "send the length of the body")
        if int(length) > LARGEST_BODY:
            self.close_connection = True
            raise RefusedError(413, f"send at most {LARGEST_BODY} bytes")
        return self.rfile.read(int(length))

    def log_message(self, *_: object) -> None:
        """Say nothing: the gateway has an access log."""


def serve(service: Service) -> None:
    """Serve until the standard input ends, which it does when the demo does, however that ends."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
    print(service.url, flush=True)
    service.serve_forever()
