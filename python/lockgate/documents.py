"""Checking, comparing and explaining documents. Nothing here reads a secret or opens a connection."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

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
    request = {
        "method": method,
        "url": url,
        "headers": list(headers),
        "body": body,
        "client": client,
        "at": at,
    }
    return Trace.model_validate_json(_engine.explain(path, json.dumps(request)))


def problems_of(error: _engine.ProblemsError) -> list[Problem]:
    """The problems that an exception carries."""
    return _PROBLEMS.validate_json(str(error))
