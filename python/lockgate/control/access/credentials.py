"""Keys and OAuth 2.0 clients: shown once, kept as hashes, rotated with overlap, revoked at once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.utils import timezone

from lockgate.control.access import names, secret_form, told
from lockgate.control.access.delivery import tell, tell_revoked
from lockgate.control.access.expiry import step
from lockgate.control.access.models import Application, Credential
from lockgate.control.access.services import find_application, role_in
from lockgate.control.accounts.errors import AccountError, UnknownError
from lockgate.control.audit.services import record

if TYPE_CHECKING:
    from lockgate.control.audit.services import Actor

MOST_DAYS: Final = 366
USUAL_DAYS: Final = 180
MOST_OVERLAP_HOURS: Final = 30 * 24
USUAL_OVERLAP_HOURS: Final = 24
MOST_LIVE: Final = 20
"""Live credentials of an application."""
_ID_BYTES: Final = 5


@dataclass(frozen=True)
class Issued:
    """A new credential with its secret, which can be shown now and never again."""

    credential: Credential
    secret: str


@transaction.atomic
def issue(
    by: Actor, application: str, *, kind: str = Credential.Kind.KEY, label: str = "", days: int = USUAL_DAYS
) -> Issued:
    """Make a key, or an OAuth 2.0 client with its secret.

    Args:
        by: Who asks.
        application: The application's name.
        kind: `key` or `client`.
        label: What to call it.
        days: How long it works.

    Raises:
        UnknownError: They have no such application.
        ForbiddenError: It is retired.
        AccountError: The time is out of bounds, there are too many, or there is no such kind.
    """
    found = find_application(by, application)
    if kind not in Credential.Kind.values:
        message = (
            f"there is no kind `{kind[:40]}` of credential; there are {' and '.join(Credential.Kind.values)}"
        )
        raise AccountError(message)
    client_id = f"{found.name}.{secrets.token_hex(_ID_BYTES)}" if kind == Credential.Kind.CLIENT else None
    expires_at = _until(days)
    issued = _make(by, found, kind=kind, label=label, client_id=client_id, expires_at=expires_at)
    record(by, "credential.issued", _about(issued.credential), after=_state(issued.credential))
    tell()
    return issued


@transaction.atomic
def rotate(
    by: Actor,
    pk: int,
    *,
    overlap_hours: int = USUAL_OVERLAP_HOURS,
    days: int = USUAL_DAYS,
    application: str | None = None,
) -> Issued:
    """Make a credential that takes the place of another one, which works on for a while and ends by itself.

    Args:
        by: Who asks.
        pk: The credential to replace.
        overlap_hours: How long the old one works on; 0 ends it now.
        days: How long the new one works.
        application: Whose it must be, where the caller named one.

    Raises:
        UnknownError: They have no such credential.
        AccountError: It is over already, or a time is out of bounds.
    """
    old = _find(by, pk, application)
    if not old.is_live:
        message = f"`{old}` is over already; make another one"
        raise AccountError(message)
    if not 0 <= overlap_hours <= MOST_OVERLAP_HOURS:
        message = (
            f"the old one can work on for 0 to {MOST_OVERLAP_HOURS} hours, and {overlap_hours} were asked for"
        )
        raise AccountError(message)
    if old.replaced_by.filter(revoked_at=None, expires_at__gt=timezone.now()).exists():
        message = f"`{old}` was rotated already; rotate the one that replaced it, or revoke one of them"
        raise AccountError(message)
    issued = _make(
        by,
        old.application,
        kind=old.kind,
        label=old.label,
        client_id=old.client_id,
        expires_at=_until(days),
        replaces=old,
    )
    before = _state(old)
    end = timezone.now() + timedelta(hours=overlap_hours)
    old.expires_at = min(old.expires_at, end) if old.expires_at else end
    # It ends because it was replaced; nobody needs a warning of that.
    old.warned_days = 0
    old.save(update_fields=["expires_at", "warned_days"])
    after = f"{_state(old)}; replaced by {issued.credential.prefix}, {_state(issued.credential)}"
    record(by, "credential.rotated", _about(old), before=before, after=after)
    tell()
    return issued


@transaction.atomic
def revoke(by: Actor, pk: int, *, why: str = "", application: str | None = None) -> Credential:
    """Refuse a credential at once and for ever.

    Raises:
        UnknownError: They have no such credential.
    """
    found = _find(by, pk, application)
    if found.revoked_at is None:
        before = _state(found)
        found.revoked_at = timezone.now()
        found.save(update_fields=["revoked_at"])
        record(by, "credential.revoked", _about(found), before=before, after="revoked", why=why)
        if found.kind == Credential.Kind.KEY:
            tell_revoked(found.sha256)
        tell()
        if role_in(by, found.application.team) is None:
            told.revoked(found, names.text(why, 2_000))
    return found


def _make(
    by: Actor,
    application: Application,
    *,
    kind: str,
    label: str,
    client_id: str | None,
    expires_at: datetime,
    replaces: Credential | None = None,
) -> Issued:
    # Of two who make the last one that there may be, the second waits here.
    Application.objects.select_for_update().get(pk=application.pk)
    live = application.credentials.filter(revoked_at=None, expires_at__gt=timezone.now()).count()
    if live >= MOST_LIVE:
        message = f"`{application}` has {live} live credentials; revoke those that nobody uses"
        raise AccountError(message)
    secret = secret_form.make()
    credential = Credential.objects.create(
        application=application,
        kind=kind,
        label=names.text(label, 120),
        prefix=secret[: secret_form.SHOWN],
        sha256=secret_form.digest(secret),
        client_id=client_id,
        created_by=by.who,
        expires_at=expires_at,
        replaces=replaces,
        # One that was made for a week is no surprise when a week is left.
        warned_days=step(expires_at, timezone.now()),
    )
    return Issued(credential, secret)


def _find(by: Actor, pk: int, application: str | None) -> Credential:
    found = Credential.objects.select_for_update().filter(pk=pk).first()
    if found is None or (application is not None and found.application.name != application):
        message = "you have no such credential"
        raise UnknownError(message)
    find_application(by, found.application.name)
    return found


def _until(days: int) -> datetime:
    if not 1 <= days <= MOST_DAYS:
        message = f"a credential lasts from 1 to {MOST_DAYS} days, and {days} were asked for"
        raise AccountError(message)
    return timezone.now() + timedelta(days=days)


def _state(credential: Credential) -> str:
    return f"{credential.kind} {credential.prefix}, until {credential.expires_at:%Y-%m-%dT%H:%M:%SZ}"


def _about(credential: Credential) -> str:
    return f"credential {credential.application.name}/{credential.prefix}"
