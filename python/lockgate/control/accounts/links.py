"""Links that work once. A link is random, kept as its hash, and expires."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from lockgate.control.accounts.errors import UnknownError
from lockgate.control.accounts.models import Link, User

LASTS = {
    Link.Kind.SET_UP: timedelta(hours=1),
    Link.Kind.INVITATION: timedelta(days=7),
    Link.Kind.RESET: timedelta(hours=1),
    Link.Kind.SIGN_UP: timedelta(hours=1),
}
GONE = "this link was used, has expired or was replaced; ask for another one"


def make(kind: Link.Kind, user: User | None = None, *, email: str = "") -> str:
    """Make a link's token; those before it of the same kind and person, or address, work no more.

    Args:
        kind: What for.
        user: Whose, when there is an account.
        email: The address that it is sent to; nothing when somebody hands it over.
    """
    token = secrets.token_urlsafe(32)
    now = timezone.now()
    before = Link.objects.filter(kind=kind, user=user, used_at=None)
    (before if user else before.filter(email=email)).update(used_at=now)
    Link.objects.create(kind=kind, user=user, email=email, sha256=_hash(token), expires_at=now + LASTS[kind])
    return token


def find(token: str, *kinds: Link.Kind) -> Link:
    """The link of a token, which stays unused.

    Raises:
        UnknownError: There is none that works.
    """
    link = Link.objects.filter(_works(token, *kinds)).select_related("user").first()
    if link is None:
        raise UnknownError(GONE)
    return link


def use(token: str, *kinds: Link.Kind) -> Link:
    """Use a link up: of two who try at once, one succeeds.

    Raises:
        UnknownError: There is none that works.
    """
    link = find(token, *kinds)
    used = Link.objects.filter(pk=link.pk, used_at=None).update(used_at=timezone.now())
    if not used:
        raise UnknownError(GONE)
    return link


def _works(token: str, *kinds: Link.Kind) -> Q:
    return Q(sha256=_hash(token), kind__in=kinds, used_at=None, expires_at__gt=timezone.now())


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
