"""The link of the first start, while nobody has an account."""

from __future__ import annotations

from django.db import transaction
from django.urls import reverse

from lockgate.control.accounts import links
from lockgate.control.accounts.models import Link, User


@transaction.atomic
def set_up_path() -> str | None:
    """Where the first account is made: a fresh link at each start, once, and only while there is none."""
    if User.objects.exists():
        return None
    return reverse("set_up", args=[links.make(Link.Kind.SET_UP)])
