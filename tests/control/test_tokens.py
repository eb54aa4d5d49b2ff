"""Tokens of service accounts: scopes, their end, and that they are kept as hashes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone
from lockgate.control.accounts import tokens
from lockgate.control.accounts.errors import AccountError, ForbiddenError, UnknownError
from lockgate.control.accounts.models import AccessToken, ServiceAccount
from lockgate.control.audit.models import Entry

if TYPE_CHECKING:
    from control.people import NewToken
    from lockgate.control.audit.services import Actor


def test_a_token_is_found_by_its_hash_and_kept_nowhere(by: Actor) -> None:
    token, plain = tokens.issue(by, account="siem", scopes=["audit:read"], days=1, purpose="alerts")
    assert plain.startswith("lg_")
    assert tokens.find(plain) == token
    kept = [str(value) for row in AccessToken.objects.values() for value in row.values()]
    kept += [str(value) for row in Entry.objects.values() for value in row.values()]
    assert not [value for value in kept if plain in value]


@pytest.mark.parametrize(
    "brought", ["", "lg_", "lg_' OR '1'='1", "%", "lg_\x00", "lg_\udc80", "lg_" + "x" * 100_000]
)
def test_what_is_no_token_opens_nothing(new_token: NewToken, brought: str) -> None:
    new_token("audit:read")
    assert tokens.find(brought) is None


def test_a_token_ends_at_its_time(by: Actor) -> None:
    token, plain = tokens.issue(by, account="siem", scopes=["audit:read"], days=1)
    AccessToken.objects.filter(pk=token.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert tokens.find(plain) is None


def test_a_token_is_revoked_at_once_and_once(by: Actor) -> None:
    token, plain = tokens.issue(by, account="siem", scopes=["audit:read"], days=1)
    tokens.revoke(by, token.pk, why="leaked")
    tokens.revoke(by, token.pk)
    assert tokens.find(plain) is None
    (entry,) = Entry.objects.filter(action="token.revoked")
    assert (entry.why, entry.after) == ("leaked", "revoked")
    with pytest.raises(UnknownError, match="no such token"):
        tokens.revoke(by, 4_711)


def test_two_tokens_of_an_account_overlap(by: Actor) -> None:
    _, before = tokens.issue(by, account="siem", scopes=["audit:read"], days=1)
    _, after = tokens.issue(by, account="siem", scopes=["audit:read"], days=1)
    assert tokens.find(before)
    assert tokens.find(after)
    assert ServiceAccount.objects.count() == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"scopes": []}, "a token without scopes opens nothing"),
        ({"scopes": ["audit:write"]}, "there is no scope `audit:write`; there are traffic:read"),
        ({"days": 0}, "a token lasts from 1 to 366 days, and 0 were asked for"),
        ({"days": 367}, "a token lasts from 1 to 366 days"),
        ({"account": "the siem"}, "`the siem` is not a name of a service account"),
        ({"account": "s" * 65}, "has 65 characters; write at most 64"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(by: Actor, given: dict[str, object], message: str) -> None:
    asked = {"account": "siem", "scopes": ["audit:read"], "days": 1, **given}
    with pytest.raises(AccountError, match=message):
        tokens.issue(by, **asked)  # type: ignore[arg-type]
    assert not ServiceAccount.objects.exists()


def test_nobody_gives_a_scope_that_they_do_not_have(by: Actor) -> None:
    less = replace(by, permissions=frozenset({"tokens:write", "audit:read"}))
    with pytest.raises(ForbiddenError, match="you do not have `users:write` yourself"):
        tokens.issue(less, account="siem", scopes=["users:write"], days=1)
