"""Who may read the catalogue: everybody who is signed in and, where it is open, everybody."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, ParamSpec

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.shortcuts import resolve_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from lockgate.control.console.permitted import View

Rest = ParamSpec("Rest")


def for_readers(view: View[Rest]) -> Callable[..., HttpResponse]:
    """Give a page of the catalogue to those who may read it; others are led to the sign-in."""

    @login_not_required
    @wraps(view)
    def page(request: HttpRequest, /, *args: Rest.args, **kwargs: Rest.kwargs) -> HttpResponse:
        if not request.user.is_authenticated and not settings.LOCKGATE.open_catalogue:
            return redirect_to_login(request.get_full_path(), resolve_url(settings.LOGIN_URL))
        return view(request, *args, **kwargs)

    return page
