"""What allauth asks about our accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.db import transaction

from lockgate.control.accounts.notices import warn
from lockgate.control.accounts.signals import address_of
from lockgate.control.audit.services import Actor, record
from lockgate.control.secret import cipher

if TYPE_CHECKING:
    from cryptography.fernet import Fernet
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.http import HttpRequest

    from lockgate.control.accounts.models import User


class AccountAdapter(DefaultAccountAdapter):
    """Accounts are made by those who may, never by signing up."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002 - as allauth asks
        """Nobody signs up."""
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that the server found; fields that a caller writes are not looked at."""
        return address_of(request)

    @transaction.atomic
    def set_password(self, user: AbstractBaseUser, password: str) -> None:
        """Set the password that somebody chose for their own account, who had to type the one before."""
        super().set_password(user, password)
        who = user.get_username()
        address = address_of(context.request)
        record(Actor(who, address), "account.password_changed", f"account {who}")
        warn(cast("User", user), "password_changed", "Your password was changed", address)


class MfaAdapter(DefaultMFAAdapter):
    """Seeds of authenticator apps and recovery codes are encrypted at rest (H15)."""

    def encrypt(self, text: str) -> str:
        """Encrypt a seed."""
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Decrypt a seed."""
        return _cipher().decrypt(encrypted_text.encode()).decode()


def _cipher() -> Fernet:
    return cipher(settings.SECRET_KEY, "second factors")
