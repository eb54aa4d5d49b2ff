"""The token endpoint, the keys, and the server's metadata (RFC 8414)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.decorators import login_not_required
from django.http import JsonResponse
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from lockgate.control.access.oauth import keys, server

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

KEYS_SECONDS = 300


@csrf_exempt
@login_not_required
@require_POST
def token(request: HttpRequest) -> HttpResponse:
    """Give a token for the credentials of a client; a session is not looked at, so no other site can ask."""
    return server.answer(request)


@login_not_required
@require_safe
def jwks(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """The public keys."""
    answer = JsonResponse(keys.published())
    answer.headers["Cache-Control"] = f"public, max-age={KEYS_SECONDS}"
    return answer


@login_not_required
@require_safe
def metadata(request: HttpRequest) -> HttpResponse:
    """Where everything is."""
    issuer = server.issuer(request)
    return JsonResponse(
        {
            "issuer": issuer,
            "token_endpoint": issuer + reverse("oauth_token"),
            "jwks_uri": issuer + reverse("oauth_jwks"),
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": list(server.METHODS),
        }
    )
