"""Getting back into an account from the machine: when the last admin lost a password, or a telephone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from lockgate.control.accounts import people
from lockgate.control.accounts.errors import AccountError, UnknownError
from lockgate.control.audit.models import Entry
from lockgate.control.audit.services import here

if TYPE_CHECKING:
    from lockgate.control.accounts.models import User

OTHER = "another long one 43"


def test_a_link_is_made_and_says_in_the_audit_log_that_it_was_made_here(admin: User) -> None:
    token = people.recover("ADA@example.com").split("/")[-2]
    people.choose_password(token, password=OTHER, address="")
    admin.refresh_from_db()
    assert admin.check_password(OTHER)
    entry = Entry.objects.get(action="account.recovered")
    assert (entry.who, entry.details) == (here().who, {})
    assert "@" in entry.who


@pytest.mark.parametrize("without_factor", [False, True])
def test_a_second_factor_goes_only_when_that_is_asked_for(admin: User, *, without_factor: bool) -> None:
    totp.TOTP.activate(admin, totp.generate_totp_secret())
    people.recover(admin.email, without_factor=without_factor)
    assert Authenticator.objects.exists() != without_factor
    removed = Entry.objects.filter(action="account.factor_removed", who=here().who)
    assert removed.exists() == without_factor


def test_an_account_that_is_not_there_or_deactivated_gets_none(admin: User) -> None:
    with pytest.raises(UnknownError, match=r"there is no account of eve@example\.com"):
        people.recover("eve@example.com")
    admin.is_active = False
    admin.save()
    with pytest.raises(AccountError, match="deactivated"):
        people.recover(admin.email)
