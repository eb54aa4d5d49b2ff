"""Addresses that take forms alone lead whoever opens them to the page of the form.

People come there by signing in again: the form that they sent when their session was over is gone, and the
sign-in leads to its address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect
from django.urls import Resolver404, resolve
from django.utils.deprecation import MiddlewareMixin

from lockgate.control.accounts.models import User

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponseBase

NOT_ALLOWED = 405


class FormsOnlyMiddleware(MiddlewareMixin):
    """Leads browsers on; programs are told that the method is not allowed."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Answer with the page above, where there is a form."""
        is_opened = request.method == "GET" and "text/html" in request.headers.get("Accept", "")
        if response.status_code != NOT_ALLOWED or not is_opened or not isinstance(request.user, User):
            return response
        messages.warning(
            request, "Nothing was done: what you sent is gone. Send the form of this page again."
        )
        return redirect(_above(request.path))


def _above(path: str) -> str:
    """The nearest page above an address."""
    parts = path.strip("/").split("/")
    for length in range(len(parts) - 1, 0, -1):
        above = f"/{'/'.join(parts[:length])}/"
        try:
            resolve(above)
        except Resolver404:
            continue
        return above
    return "/"
