"""Accounts: the first one, invitations, roles, and what nobody can do to get more of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from control.people import PASSWORD
from django.utils import timezone
from lockgate.control.accounts import links, people
from lockgate.control.accounts.errors import AccountError, ForbiddenError, UnknownError
from lockgate.control.accounts.models import Link, User
from lockgate.control.accounts.roles import PERMISSIONS, ROLES, permissions_of
from lockgate.control.audit.models import Entry
from lockgate.control.first_run import set_up_path

if TYPE_CHECKING:
    from control.people import NewUser
    from lockgate.control.audit.services import Actor

WRONG = "this link was used, has expired or was replaced"


def first(token: str, password: str = PASSWORD) -> User:
    return people.make_first(
        token, email="Ada@Example.com", name="Ada", password=password, address="192.0.2.1"
    )


def set_up_token() -> str:
    path = set_up_path()
    assert path is not None
    return path.split("/")[-2]


def test_the_first_account_is_an_admin_and_its_link_works_once() -> None:
    token = set_up_token()
    user = first(token)
    assert (user.email, user.role) == ("ada@example.com", "platform_admin")
    with pytest.raises(UnknownError, match=WRONG):
        first(token)
    assert set_up_path() is None


def test_a_link_is_kept_as_its_hash_and_expires() -> None:
    token = set_up_token()
    assert not Link.objects.filter(sha256__contains=token[:16]).exists()
    Link.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(UnknownError, match=WRONG):
        first(token)


def test_of_two_who_use_a_link_at_once_one_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    token = set_up_token()
    seen_by_both = links.find(token, Link.Kind.SET_UP)
    monkeypatch.setattr(links, "find", lambda *_: seen_by_both)
    assert links.use(token, Link.Kind.SET_UP) == seen_by_both
    with pytest.raises(UnknownError, match=WRONG):
        links.use(token, Link.Kind.SET_UP)


def test_a_second_start_replaces_the_link_of_the_first() -> None:
    before, after = set_up_token(), set_up_token()
    with pytest.raises(UnknownError, match=WRONG):
        first(before)
    assert first(after).is_active


def test_a_weak_password_is_refused_and_the_link_still_works() -> None:
    token = set_up_token()
    with pytest.raises(AccountError, match="at least 12 characters"):
        first(token, "short")
    assert first(token).has_usable_password()


def test_an_invitation_lets_its_owner_choose_a_password(by: Actor) -> None:
    user, token = people.invite(by, email="bob@example.com", name="Bob", role="developer")
    assert not user.has_usable_password()
    people.choose_password(token, password=PASSWORD, address="192.0.2.2")
    assert User.objects.get(pk=user.pk).check_password(PASSWORD)
    with pytest.raises(UnknownError, match=WRONG):
        people.choose_password(token, password=PASSWORD, address="192.0.2.2")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"email": "ada@example.com"}, "there is an account of ada@example.com already"),
        ({"email": "bob"}, "`bob` is not an e-mail address"),
        ({"role": "root"}, "there is no role `root`; there are platform_admin"),
    ],
)
def test_an_invitation_that_makes_no_sense_is_refused(by: Actor, given: dict[str, str], message: str) -> None:
    with pytest.raises(AccountError, match=message):
        people.invite(by, **{"email": "bob@example.com", "name": "", "role": "developer", **given})


def test_nobody_gives_a_role_that_may_do_more_than_they_may(by: Actor) -> None:
    less = replace(by, permissions=permissions_of("api_owner") | {"users:write"})
    with pytest.raises(ForbiddenError, match="the role auditor may do more than you"):
        people.invite(less, email="bob@example.com", name="", role="auditor")
    user, _ = people.invite(less, email="bob@example.com", name="", role="api_owner")
    with pytest.raises(ForbiddenError, match="platform_admin may do more"):
        people.change(less, user.pk, role="platform_admin")


def test_nobody_resets_or_changes_an_account_that_may_do_more(by: Actor, admin: User) -> None:
    less = replace(by, who="bob@example.com", permissions=frozenset({"users:write"}))
    with pytest.raises(ForbiddenError, match=r"ada@example\.com may do more than you"):
        people.reset(less, admin.pk)
    with pytest.raises(ForbiddenError, match=r"ada@example\.com may do more than you"):
        people.change(less, admin.pk, is_active=False)


def test_nobody_changes_their_own_account(by: Actor, admin: User) -> None:
    for act in (lambda: people.change(by, admin.pk, role="developer"), lambda: people.reset(by, admin.pk)):
        with pytest.raises(ForbiddenError, match="this is your own account"):
            act()


def test_the_last_admin_stays(by: Actor, admin: User, new_user: NewUser) -> None:
    bob = new_user("platform_admin", "bob@example.com")
    as_bob = replace(by, who=bob.email)
    people.change(as_bob, admin.pk, is_active=False)
    carol = replace(by, who="carol@example.com")
    with pytest.raises(AccountError, match="this is the last platform admin"):
        people.change(carol, bob.pk, role="developer")
    assert User.objects.get(pk=bob.pk).role == "platform_admin"


def test_a_reset_changes_the_password_and_nothing_else(by: Actor, new_user: NewUser) -> None:
    bob = new_user("auditor", "bob@example.com")
    token = people.reset(by, bob.pk, why="lost")
    with pytest.raises(UnknownError, match=WRONG):
        links.use(token, Link.Kind.SET_UP)
    people.choose_password(token, password="another long one 43", address="192.0.2.2")
    bob.refresh_from_db()
    assert bob.check_password("another long one 43")
    assert (bob.role, bob.is_active) == ("auditor", True)


def test_a_deactivated_account_gets_no_link_and_may_do_nothing(by: Actor, new_user: NewUser) -> None:
    bob = new_user("auditor", "bob@example.com")
    token = people.reset(by, bob.pk)
    people.change(by, bob.pk, is_active=False)
    with pytest.raises(AccountError, match="deactivated"):
        people.reset(by, bob.pk)
    with pytest.raises(UnknownError, match=WRONG):
        people.choose_password(token, password=PASSWORD, address="")
    assert User.objects.get(pk=bob.pk).permissions == frozenset()


def test_each_change_has_an_entry_that_says_who_what_and_from_where(by: Actor) -> None:
    bob, _ = people.invite(by, email="bob@example.com", name="", role="developer")
    people.change(by, bob.pk, role="auditor", why="joined the audit team")
    invited, changed = Entry.objects.order_by("seq")
    assert (invited.action, changed.action) == ("account.invited", "account.changed")
    assert (changed.who, changed.object, changed.details) == (
        "ada@example.com",
        "account bob@example.com",
        {"from": "192.0.2.1"},
    )
    assert changed.before == "role developer, active"
    assert (changed.after, changed.why) == ("role auditor, active", "joined the audit team")


def test_a_change_that_is_refused_leaves_no_entry(by: Actor) -> None:
    with pytest.raises(AccountError):
        people.invite(by, email="bob", name="", role="developer")
    assert not Entry.objects.exists()


def test_the_roles_table_knows_no_role_or_permission_that_is_not_there() -> None:
    roles = {role.name for role in ROLES}
    for permission in PERMISSIONS:
        assert permission.roles <= roles
    assert permissions_of("platform_admin") == {permission.name for permission in PERMISSIONS}
    assert not [name for name in permissions_of("auditor") if name.endswith(":write")]
    assert permissions_of("nobody") == frozenset()
