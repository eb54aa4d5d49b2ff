"""What programs look for at well-known places (RFC 8615). Nobody needs to be signed in."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from lockgate.control.notify.kinds.outgoing import written
from lockgate.control.notify.where import base
from lockgate.control.portal.gateway import address_for
from lockgate.control.portal.served import read_catalogue

if TYPE_CHECKING:
    from django.http import HttpRequest

    from lockgate.control.portal.catalogue import Version

LINKSET: Final = 'application/linkset+json; profile="https://www.rfc-editor.org/info/rfc9727"'
LASTS: Final = timedelta(days=30)
"""Of a `security.txt`: what is asked for later is told anew."""


@login_not_required
@require_safe
def api_catalog(request: HttpRequest) -> HttpResponse:
    """The APIs behind the gateway and our own, as a linkset (RFC 9727, RFC 9264).

    Those behind the gateway are told to whoever may read the catalogue of the portal.
    """
    here = request.build_absolute_uri("/").rstrip("/")
    found = [_own(here)]
    if settings.LOCKGATE.open_catalogue or request.user.is_authenticated:
        found += [_version(here, one) for api in read_catalogue().apis for one in api.versions]
    answer = HttpResponse(written({"linkset": found}), content_type=LINKSET)
    # RFC 9727, section 3: what asks by HEAD finds it by this.
    answer.headers["Link"] = f'<{here}{request.path}>; rel="api-catalog"'
    return answer


@login_not_required
@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """To whom weaknesses are reported (RFC 9116), where somebody said so."""
    contact = settings.LOCKGATE_IDENTITY.security_contact
    if not contact:
        raise Http404
    # The day alone: what changes with each second cannot be kept by anybody.
    expires = (timezone.now() + LASTS).replace(hour=0, minute=0, second=0, microsecond=0)
    lines = (
        f"Contact: {contact}",
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
        "Preferred-Languages: en",
        f"Canonical: {base()}{reverse('security_txt')}",
    )
    return HttpResponse("".join(f"{line}\n" for line in lines), content_type="text/plain; charset=utf-8")


@login_not_required
@require_safe
def change_password(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """Where password managers lead to (W3C, A Well-Known URL for Changing Passwords)."""
    return redirect("account_change_password")


def _own(here: str) -> dict[str, Any]:
    return {
        "anchor": f"{here}/api/v1/",
        "service-desc": [{"href": here + reverse("admin-api:openapi"), "type": "application/json"}],
    }


def _version(here: str, version: Version) -> dict[str, Any]:
    names = [version.api, version.name]
    said: dict[str, Any] = {
        "anchor": f"{address_for(version)}{version.base}",
        "service-doc": [{"href": here + reverse("portal_version", args=names), "type": "text/html"}],
        "status": [{"href": here + reverse("portal_status"), "type": "text/html"}],
    }
    if version.openapi:
        link = {"href": here + reverse("portal_openapi", args=names), "type": "application/json"}
        said["service-desc"] = [link]
    return said
