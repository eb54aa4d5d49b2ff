"""Bearer tokens of service accounts: shown once, kept as hashes, with scopes and an end."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import transaction
from django.utils import timezone

from lockgate import _engine
from lockgate.control.accounts.errors import AccountError, ForbiddenError, UnknownError
from lockgate.control.accounts.models import AccessToken, ServiceAccount
from lockgate.control.accounts.roles import NAMES
from lockgate.control.audit.services import record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.control.audit.services import Actor

MOST_DAYS = 366
_NOTE_USE_EVERY = timedelta(minutes=1)


@transaction.atomic
def issue(
    by: Actor, *, account: str, scopes: Iterable[str], days: int, purpose: str = ""
) -> tuple[AccessToken, str]:
    """Issue a token, and make its service account when there is none of that name.

    Gives the token itself, which can be shown now and never again.

    Raises:
        AccountError: A scope is unknown or none is given, the time is out of bounds, or the name is none.
        ForbiddenError: A scope is one that the one who issues does not have.
    """
    wanted = sorted(set(scopes))
    if not wanted:
        message = f"a token without scopes opens nothing; there are {', '.join(NAMES)}"
        raise AccountError(message)
    if unknown := [scope for scope in wanted if scope not in NAMES]:
        message = f"there is no scope `{unknown[0]}`; there are {', '.join(NAMES)}"
        raise AccountError(message)
    if beyond := [scope for scope in wanted if scope not in by.permissions]:
        message = f"you do not have `{beyond[0]}` yourself, so you cannot give it"
        raise ForbiddenError(message)
    if not 1 <= days <= MOST_DAYS:
        message = f"a token lasts from 1 to {MOST_DAYS} days, and {days} were asked for"
        raise AccountError(message)
    owner = _account(account, purpose)
    plain, sha256 = _engine.new_key()
    token = AccessToken.objects.create(
        account=owner,
        prefix=plain[:10],
        sha256=sha256,
        scopes=wanted,
        created_by=by.who,
        expires_at=timezone.now() + timedelta(days=days),
    )
    record(by, "token.issued", f"token {token}", after=_state(token))
    return token, plain


@transaction.atomic
def revoke(by: Actor, pk: int, *, why: str = "") -> AccessToken:
    """Revoke a token, at once.

    Raises:
        UnknownError: There is no such token.
    """
    token = AccessToken.objects.select_for_update().select_related("account").filter(pk=pk).first()
    if token is None:
        message = "there is no such token"
        raise UnknownError(message)
    if token.revoked_at is None:
        token.revoked_at = timezone.now()
        token.save(update_fields=["revoked_at"])
        record(by, "token.revoked", f"token {token}", before=_state(token), after="revoked", why=why)
    return token


def find(plain: str) -> AccessToken | None:
    """The valid token that somebody brings, looked up by its hash: its characters are inert (H13)."""
    sha256 = hashlib.sha256(plain.encode("utf-8", "surrogateescape")).hexdigest()
    token = AccessToken.objects.select_related("account").filter(sha256=sha256).first()
    if token is None or not token.is_valid:
        return None
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at > _NOTE_USE_EVERY:
        AccessToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def _account(name: str, purpose: str) -> ServiceAccount:
    try:
        validate_slug(name)
    except ValidationError:
        message = (
            f"`{name}` is not a name of a service account; write letters, digits and hyphens, such as siem"
        )
        raise AccountError(message) from None
    if len(name) > 64:
        message = f"the name of a service account has {len(name)} characters; write at most 64"
        raise AccountError(message)
    found, _ = ServiceAccount.objects.get_or_create(name=name, defaults={"purpose": purpose[:200]})
    return found


def _state(token: AccessToken) -> str:
    return f"scopes {' '.join(token.scopes)}, until {token.expires_at:%Y-%m-%dT%H:%M:%SZ}"
