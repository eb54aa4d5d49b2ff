"""The portal's first page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import render

from lockgate.control.portal.readers import for_readers

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@for_readers
def home(request: HttpRequest) -> HttpResponse:
    """Where to begin, and what needs attention."""
    return render(request, "portal/home.html")
