"""Errors of the APIs, as problem documents (RFC 9457)."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse

REALM = "lockgate"


def problem(status: int, detail: str, **more: Any) -> HttpResponse:  # noqa: ANN401
    """An answer that says what was wrong, and what to send instead."""
    title = HTTPStatus(status).phrase
    said = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    answer = HttpResponse(json.dumps(said), status=status, content_type="application/problem+json")
    if status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = f'Bearer realm="{REALM}"'
    return answer


def invalid_token(detail: str) -> HttpResponse:
    """401 for a token that opens nothing (RFC 6750, section 3.1)."""
    answer = problem(401, detail)
    answer.headers["WWW-Authenticate"] = f'Bearer realm="{REALM}", error="invalid_token"'
    return answer


def insufficient_scope(needed: str) -> HttpResponse:
    """403 for a credential that may do other things (RFC 6750, section 3.1)."""
    answer = problem(403, f"this needs `{needed}`", needs=needed)
    answer.headers["WWW-Authenticate"] = (
        f'Bearer realm="{REALM}", error="insufficient_scope", scope="{needed}"'
    )
    return answer
