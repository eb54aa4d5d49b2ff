"""Which ways in there are, for the pages of the entrance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from lockgate.control.notify import mail

if TYPE_CHECKING:
    from django.http import HttpRequest

    from lockgate.control.accounts.configuration import IdentitySettings


def ways_in(request: HttpRequest) -> dict[str, object]:
    """The ways; nothing beyond the pages of accounts."""
    if not request.path.startswith("/account/"):
        return {}
    known: IdentitySettings = settings.LOCKGATE_IDENTITY
    return {
        "may_sign_up": known.sign_up.is_possible,
        "sends_mail": mail.is_on(),
        "provider_title": known.provider.title if known.provider else "",
    }
