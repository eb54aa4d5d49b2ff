"""Telling teams that a credential expires: 30, 7 and 1 days before."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from lockgate.control.access import told
from lockgate.control.access.models import Credential

if TYPE_CHECKING:
    from datetime import datetime

DAYS: Final = (1, 7, 30)
_MOST: Final = 500
"""Credentials in one round."""


def warn() -> None:
    """One round: each credential's team is told once for each number of days."""
    now = timezone.now()
    soon = Credential.objects.filter(
        Q(warned_days=None) | Q(warned_days__gt=DAYS[0]),
        revoked_at=None,
        application__retired_at=None,
        expires_at__gt=now,
        expires_at__lte=now + timedelta(days=DAYS[-1]),
    )
    for credential in soon.select_related("application").order_by("expires_at")[:_MOST]:
        left = step(credential.expires_at, now)
        if left is not None and (credential.warned_days is None or left < credential.warned_days):
            _warn(credential, left)


def step(expires_at: datetime | None, now: datetime) -> int | None:
    """Of the numbers of days before the end, the one that has come last; nothing when it is far away."""
    if expires_at is None:
        return None
    days = math.ceil((expires_at - now) / timedelta(days=1))
    return next((known for known in DAYS if days <= known), None)


@transaction.atomic
def _warn(credential: Credential, days: int) -> None:
    known = Credential.objects.filter(pk=credential.pk, warned_days=credential.warned_days)
    # Of two processes that come here at once, one changes the row, and tells.
    if known.update(warned_days=days):
        told.expires(credential, days)
