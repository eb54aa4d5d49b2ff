"""Checking, comparing and explaining documents. Nothing here reads a secret or opens a connection."""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import TypeAdapter

from lockgate import _engine
from lockgate.models import Check, Difference, Problem, Trace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

_DIFFERENCES = TypeAdapter(list[Difference])
_PROBLEMS = TypeAdapter(list[Problem])


def check(path: str | PathLike[str]) -> Check:
    """Check a document and everything that it includes."""
    return Check.model_validate_json(_engine.check(path))


def diff(base: str | PathLike[str], candidate: str | PathLike[str]) -> list[Difference]:
    """Compare two documents by route.

    Raises:
        ProblemsError: one of them has errors.
    """
    return _DIFFERENCES.validate_json(_engine.diff(base, candidate))


def explain(
    path: str | PathLike[str],
    method: str,
    url: str,
    *,
    headers: Iterable[tuple[str, str]] = (),
    body: str | None = None,
    client: str | None = None,
    at: str | None = None,
) -> Trace:
    """Explain what a document does with one request.

    Args:
        path: The document.
        method: The method, such as `GET`.
        url: A path with query, or a whole URL.
        headers: Header fields in order.
        body: The body.
        client: The caller's address; 127.0.0.1 by default.
        at: The time (RFC 3339); now by default. Limits start unused.

    Raises:
        ProblemsError: The document has errors.
        ValueError: The request cannot be read.
    """
    check_url(url)
    if client is not None:
        check_address(client)
    request = {
        "method": method,
        "url": url,
        "headers": list(headers),
        "body": body,
        "client": client,
        "at": at,
    }
    return Trace.model_validate_json(_engine.explain(path, json.dumps(request)))


def check_url(text: str) -> None:
    """Raise `ValueError` for what is neither a path nor a URL."""
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if not text.startswith("/") and not (parts.scheme and parts.netloc):
        message = (
            f"`{text}` is neither a path nor a URL; "
            "write one such as `/orders/7?full=1` or `https://api.example.com/orders/7`"
        )
        raise ValueError(message)


def check_address(text: str) -> None:
    """Raise `ValueError` for what is not an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        message = f"`{text}` is not an address; write one such as `192.0.2.7`"
        raise ValueError(message) from None


def problems_of(error: _engine.ProblemsError) -> list[Problem]:
    """The problems that an exception carries."""
    return _PROBLEMS.validate_json(str(error))
