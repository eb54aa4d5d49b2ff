"""Letters to addresses that somebody typed: links to an account that is new, or to another password.

Whether there is an account is found out when the letter is written, by the worker, and never where
somebody waits for an answer: neither what pages say nor how long they take tells (H16). Links are made
then as well, so that none lies anywhere but in the letter, and as its hash.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone

from lockgate.control.access.models import Invitation
from lockgate.control.accounts import links
from lockgate.control.accounts.models import Letter, Link, User
from lockgate.control.audit.services import Actor, record
from lockgate.control.notify import mail

if TYPE_CHECKING:
    from lockgate.control.accounts.configuration import IdentitySettings

log = logging.getLogger(__name__)

MOST: Final = 50
"""Letters of one round."""
LEASE: Final = timedelta(minutes=2)
DELAYS: Final = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 900))
"""Between attempts; who asked has asked again by then."""


def ask(kind: Letter.Kind, email: str, base: str, address: str) -> None:
    """Have a letter written.

    Args:
        kind: What for.
        email: To whom, as somebody typed it.
        base: What its link begins with.
        address: From where it was asked for.
    """
    Letter.objects.create(kind=kind, email=email.strip().lower(), base=base.rstrip("/"), address=address)


def write() -> None:
    """Write and send what waits: one bounded round."""
    if not mail.is_on():
        return
    now = timezone.now()
    for letter in Letter.objects.filter(next_at__lte=now).order_by("pk")[:MOST]:
        # Whoever moves the time on first has it.
        mine = Letter.objects.filter(pk=letter.pk, next_at=letter.next_at)
        if mine.update(next_at=now + LEASE, attempts=letter.attempts + 1):
            _send(letter)


def _send(letter: Letter) -> None:
    written = _sign_up(letter) if letter.kind == Letter.Kind.SIGN_UP else _reset(letter)
    if written is not None:
        try:
            mail.send(letter.email, *written)
        except mail.MailError as error:
            log.warning("a letter was not taken: %s", error)
            if not error.is_final and letter.attempts < len(DELAYS):
                later = timezone.now() + DELAYS[letter.attempts]
                Letter.objects.filter(pk=letter.pk).update(next_at=later)
                return
    letter.delete()


@transaction.atomic
def _sign_up(letter: Letter) -> tuple[str, str] | None:
    known: IdentitySettings = settings.LOCKGATE_IDENTITY
    if user := User.objects.filter(email=letter.email).first():
        return _text(letter, "known") if user.is_active else None
    if not known.sign_up.takes(letter.email):
        return None
    if known.sign_up.mode == "invitation" and not _is_invited(letter.email):
        return None
    return _text(letter, "sign_up", token=links.make(Link.Kind.SIGN_UP, email=letter.email))


@transaction.atomic
def _reset(letter: Letter) -> tuple[str, str] | None:
    user = User.objects.filter(email=letter.email, is_active=True).first()
    if user is None:
        return None
    if not user.has_usable_password() and SocialAccount.objects.filter(user=user).exists():
        # Whoever signs in elsewhere gets no second way in here.
        return _text(letter, "elsewhere")
    record(Actor("nobody", letter.address), "account.reset_asked", f"account {user.email}")
    return _text(letter, "reset", token=links.make(Link.Kind.RESET, user, email=letter.email))


def _text(letter: Letter, name: str, **more: str) -> tuple[str, str]:
    """Subject and text: the first line of a template, and the others."""
    written = render_to_string(f"letters/{name}.txt", {"email": letter.email, "base": letter.base, **more})
    subject, _, text = written.partition("\n")
    return subject, f"{text.strip()}\n"


def _is_invited(email: str) -> bool:
    waiting = Invitation.objects.filter(email__iexact=email, used_at=None, expires_at__gt=timezone.now())
    return waiting.exists()
