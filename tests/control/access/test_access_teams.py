"""Who may do what in teams and with their applications."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from lockgate.control.access import applications, credentials, secret_form, teams
from lockgate.control.access.models import Application, Invitation, Membership
from lockgate.control.access.services import applications_of, find_application, teams_of
from lockgate.control.accounts.errors import AccountError, ForbiddenError, UnknownError
from lockgate.control.audit.models import Entry
from lockgate.control.notify.models import Message

if TYPE_CHECKING:
    from control.access.conftest import NewActor
    from lockgate.control.audit.services import Actor


@pytest.fixture
def emil(new_actor: NewActor) -> Actor:
    """A developer who is in no team."""
    return new_actor("developer", "emil@example.com")


@pytest.fixture
def shop(dora: Actor) -> Application:
    return applications.create(dora, name="web-shop", title="Web shop", team="web")


def test_whoever_makes_a_team_owns_it(dora: Actor) -> None:
    assert [team.name for team in teams_of(dora)] == ["web"]
    assert Membership.objects.get().role == Membership.Role.OWNER


def test_an_invitation_works_once_and_for_one_address(dora: Actor, emil: Actor, new_actor: NewActor) -> None:
    token = teams.invite(dora, "web", email="Emil@Example.com")
    with pytest.raises(ForbiddenError, match=r"this invitation is for emil@example\.com"):
        teams.join(new_actor("developer", "eve@example.com"), token)
    assert teams.join(emil, token).name == "web"
    with pytest.raises(UnknownError, match="was used, has expired"):
        teams.join(emil, token)
    assert Membership.objects.get(user__email=emil.who).role == Membership.Role.MEMBER


def test_an_invitation_is_kept_as_a_hash_and_expires(dora: Actor, emil: Actor) -> None:
    token = teams.invite(dora, "web", email=emil.who)
    kept = Invitation.objects.get()
    assert token not in str(vars(kept))
    kept.expires_at -= timedelta(days=8)
    kept.save()
    with pytest.raises(UnknownError):
        teams.join(emil, token)


def test_a_new_invitation_replaces_the_one_before(dora: Actor, emil: Actor) -> None:
    first, second = (teams.invite(dora, "web", email=emil.who) for _ in range(2))
    with pytest.raises(UnknownError):
        teams.invitation(first)
    assert teams.join(emil, second).name == "web"


def test_members_use_applications_and_only_owners_change_the_team(
    dora: Actor, emil: Actor, shop: Application
) -> None:
    teams.join(emil, teams.invite(dora, "web", email=emil.who))
    assert credentials.issue(emil, shop.name).credential.created_by == emil.who
    for act in (
        lambda: teams.invite(emil, "web", email="eve@example.com"),
        lambda: teams.remove_member(emil, "web", dora.who),
        lambda: teams.change_member(emil, "web", emil.who, role="owner"),
        lambda: applications.retire(emil, shop.name),
        lambda: applications.move(emil, shop.name, team="web"),
    ):
        with pytest.raises(ForbiddenError, match="only an owner of `web`"):
            act()


def test_others_are_told_that_there_is_no_such_application(emil: Actor, shop: Application) -> None:
    for act in (
        lambda: find_application(emil, shop.name, to_read=True),
        lambda: credentials.issue(emil, shop.name),
        lambda: applications.suspend(emil, shop.name),
    ):
        with pytest.raises(UnknownError, match="you have no application `web-shop`"):
            act()
    assert applications_of(emil) == []


def test_a_credential_of_others_is_unknown_by_its_number_too(
    dora: Actor, emil: Actor, shop: Application
) -> None:
    pk = credentials.issue(dora, shop.name).credential.pk
    for act in (lambda: credentials.revoke(emil, pk), lambda: credentials.rotate(emil, pk)):
        with pytest.raises(UnknownError):
            act()
    with pytest.raises(UnknownError):
        credentials.revoke(dora, pk, application="another")


def test_an_auditor_reads_every_application_and_changes_none(new_actor: NewActor, shop: Application) -> None:
    auditor = new_actor("auditor", "ann@example.com")
    assert find_application(auditor, shop.name, to_read=True) == shop
    with pytest.raises(UnknownError):
        find_application(auditor, shop.name)
    with pytest.raises(ForbiddenError, match="your role has no teams"):
        teams.create(auditor, name="audit", title="")


def test_a_security_engineer_locks_what_is_in_no_team_of_theirs(
    new_actor: NewActor, dora: Actor, shop: Application
) -> None:
    engineer = new_actor("security_engineer", "sue@example.com")
    issued = credentials.issue(dora, shop.name)
    credentials.revoke(engineer, issued.credential.pk, why="it leaked")
    applications.suspend(engineer, shop.name)
    entry = Entry.objects.get(action="credential.revoked")
    assert (entry.who, entry.why) == (engineer.who, "it leaked")
    assert issued.secret not in str(list(Entry.objects.values()))
    told = Message.objects.order_by("pk").values_list("title", flat=True)
    assert list(told) == ["A key of Web shop was revoked", "Web shop was suspended"]


def test_somebody_always_owns_a_team(dora: Actor, emil: Actor) -> None:
    teams.join(emil, teams.invite(dora, "web", email=emil.who))
    for act in (
        lambda: teams.remove_member(dora, "web", dora.who),
        lambda: teams.change_member(dora, "web", dora.who, role="member"),
    ):
        with pytest.raises(AccountError, match="nobody would own `web`"):
            act()
    teams.change_member(dora, "web", emil.who, role="owner")
    teams.remove_member(dora, "web", dora.who)
    assert [member.user.email for member in Membership.objects.all()] == [emil.who]


def test_an_application_goes_to_another_team_with_all_that_it_has(
    dora: Actor, emil: Actor, shop: Application
) -> None:
    teams.create(emil, name="mobile", title="Mobile")
    pk = credentials.issue(dora, shop.name).credential.pk
    applications.move(dora, shop.name, team="mobile")
    assert [one.name for one in applications_of(emil)] == ["web-shop"]
    assert applications_of(dora) == []
    credentials.revoke(emil, pk)


def test_a_deactivated_person_is_in_no_team(dora: Actor, shop: Application) -> None:
    member = Membership.objects.get()
    member.user.is_active = False
    member.user.save()
    with pytest.raises(UnknownError):
        find_application(dora, shop.name)


@pytest.mark.parametrize("name", ["", "Shop", "-shop", "a b", "x" * 65, "lockgate.revoked-clients", "ä"])
def test_names_are_what_documents_take(dora: Actor, name: str) -> None:
    with pytest.raises(AccountError, match="cannot be the name of an application; write at most 64"):
        applications.create(dora, name=name, title="", team="web")


def test_a_credential_has_an_end_within_a_year(dora: Actor, shop: Application) -> None:
    for days in (0, 367):
        with pytest.raises(AccountError, match="lasts from 1 to 366 days"):
            credentials.issue(dora, shop.name, days=days)


def test_there_are_only_so_many_live_credentials(
    dora: Actor, shop: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "MOST_LIVE", 2)
    first = credentials.issue(dora, shop.name)
    credentials.issue(dora, shop.name)
    with pytest.raises(AccountError, match="has 2 live credentials"):
        credentials.issue(dora, shop.name)
    credentials.revoke(dora, first.credential.pk)
    assert credentials.issue(dora, shop.name).credential.is_live


def test_a_key_is_rotated_once_and_never_lives_longer_by_it(dora: Actor, shop: Application) -> None:
    old = credentials.issue(dora, shop.name, days=1).credential
    new = credentials.rotate(dora, old.pk, overlap_hours=48)
    before = old.expires_at
    old.refresh_from_db()
    assert old.expires_at == before
    assert old.is_ending
    with pytest.raises(AccountError, match="was rotated already"):
        credentials.rotate(dora, old.pk)
    credentials.revoke(dora, new.credential.pk)
    with pytest.raises(AccountError, match="is over already"):
        credentials.rotate(dora, new.credential.pk)
    for hours in (-1, 721):
        with pytest.raises(AccountError, match="can work on for 0 to 720 hours"):
            credentials.rotate(dora, old.pk, overlap_hours=hours)


def test_a_secret_has_a_checksum() -> None:
    secret = secret_form.make()
    assert secret_form.is_whole(secret)
    assert len(secret) == 52
    assert secret.startswith("lg_")
    for wrong in (secret[:-1], secret + "0", secret.swapcase(), "lg_", "", "xx_" + secret[3:]):
        assert not secret_form.is_whole(wrong)


def test_a_team_needs_a_person(dora: Actor) -> None:
    with pytest.raises(AccountError, match="there is a team `web` already"):
        teams.create(dora, name="web", title="")
    with pytest.raises(AccountError, match="is not an e-mail address"):
        teams.invite(dora, "web", email="nobody")
    with pytest.raises(AccountError, match="there is no role `king` in a team; there are owner and member"):
        teams.invite(dora, "web", email="eve@example.com", role="king")
    with pytest.raises(AccountError, match="is a member of `web` already"):
        teams.invite(dora, "web", email=dora.who)
