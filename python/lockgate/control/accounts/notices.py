"""Telling people that how they sign in was changed: whoever did not do it learns of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import reverse

from lockgate.control.notify.event import Event
from lockgate.control.notify.services import send

if TYPE_CHECKING:
    from lockgate.control.accounts.models import User


def warn(user: User, kind: str, what: str, address: str) -> None:
    """Tell the owner of an account what was changed about it, and from where."""
    where = f" from {address}" if address else " on the machine itself"
    send(
        Event(
            kind=f"account.{kind}",
            title=what,
            text=f"It was done{where}. If it was not you, choose another password now and tell an admin.",
            link=reverse("mfa_index"),
            to=[user],
            severity="warning",
        )
    )
