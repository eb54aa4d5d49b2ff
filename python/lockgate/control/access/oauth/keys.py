"""The keys that sign access tokens: made at random, kept encrypted, replaced without a gap."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from joserfc.jwk import ECKey

from lockgate.control.access.models import TokenKey
from lockgate.control.audit.services import Actor, record
from lockgate.control.secret import cipher

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.fernet import Fernet

ALGORITHM: Final = "ES256"
WAIT: Final = timedelta(minutes=15)
"""How long a new key is published before it signs: gateways keep fetched keys for ten minutes."""
KEEP: Final = timedelta(hours=1)
"""How long the one before stays published: longer than any token that it signed."""
ROTATE_AFTER: Final = timedelta(days=90)
_BY = Actor("worker", "")


def signing() -> ECKey:
    """The key that signs now, made at the first call."""
    now = timezone.now()
    found = TokenKey.objects.filter(signs_from__lte=now).order_by("-signs_from", "-pk").first()
    if found is None:
        found = _make(now)
    private = _cipher().decrypt(found.private.encode())
    return ECKey.import_key(private, {"kid": found.kid, "alg": ALGORITHM, "use": "sig"})


def published() -> dict[str, Any]:
    """The public halves of the keys that sign, did or will (RFC 7517)."""
    signing()
    now = timezone.now()
    keys = list(TokenKey.objects.order_by("signs_from", "pk"))
    # Each is over once the one after it has signed for long enough.
    ends = [following.signs_from + KEEP for following in keys[1:]]
    return {
        "keys": [key.public for key, end in zip(keys, [*ends, None], strict=True) if not end or end > now]
    }


@transaction.atomic
def rotate(by: Actor = _BY) -> TokenKey:
    """Make another key, which signs once gateways know it."""
    key = _make(timezone.now() + WAIT)
    record(
        by, "token_key.made", f"token key {key.kid}", after=f"signs from {key.signs_from:%Y-%m-%dT%H:%M:%SZ}"
    )
    return key


@transaction.atomic
def rotate_old() -> None:
    """A round of the worker: replaces a key that has signed long enough, and forgets those that are over."""
    now = timezone.now()
    keys = list(TokenKey.objects.select_for_update().order_by("signs_from", "pk"))
    if keys and keys[-1].signs_from < now - ROTATE_AFTER:
        rotate()
    over = [key.pk for key, after in pairwise(keys) if after.signs_from + KEEP < now]
    TokenKey.objects.filter(pk__in=over).delete()


def _make(signs_from: datetime) -> TokenKey:
    key = ECKey.generate_key("P-256", auto_kid=True)
    kid = str(key.kid)
    public = {**key.as_dict(private=False), "kid": kid, "alg": ALGORITHM, "use": "sig"}
    private = _cipher().encrypt(key.as_pem(private=True)).decode()
    return TokenKey.objects.create(kid=kid, private=private, public=public, signs_from=signs_from)


def _cipher() -> Fernet:
    return cipher(settings.SECRET_KEY, "token keys")
