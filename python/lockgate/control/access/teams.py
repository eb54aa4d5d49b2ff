"""Teams, their members, and invitations by links that work once."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from lockgate.control.access import names
from lockgate.control.access.models import Invitation, Membership, Team
from lockgate.control.access.services import OWN, find_team
from lockgate.control.accounts.errors import AccountError, ForbiddenError, UnknownError
from lockgate.control.accounts.models import User
from lockgate.control.audit.services import record

if TYPE_CHECKING:
    from lockgate.control.audit.services import Actor

LASTS: Final = timedelta(days=7)
"""How long an invitation works."""
GONE: Final = "this invitation was used, has expired or was replaced; ask for another one"
ROLES: Final = tuple(Membership.Role.values)


@transaction.atomic
def create(by: Actor, *, name: str, title: str) -> Team:
    """Make a team; whoever makes it owns it.

    Raises:
        AccountError: The name is taken or none.
        ForbiddenError: They may not, or are no person.
    """
    if OWN not in by.permissions:
        message = "your role has no teams; a platform admin can give you another one"
        raise ForbiddenError(message)
    user = User.objects.filter(email=by.who).first()
    if user is None:
        message = "a team has people in it; a service account cannot make one"
        raise ForbiddenError(message)
    trimmed = names.check(name, "a team")
    try:
        with transaction.atomic():
            team = Team.objects.create(name=trimmed, title=names.text(title, 120) or trimmed)
    except IntegrityError:
        message = f"there is a team `{trimmed}` already; choose another name, or ask its owner to invite you"
        raise AccountError(message) from None
    Membership.objects.create(team=team, user=user, role=Membership.Role.OWNER)
    record(by, "team.created", _about(team), after=f"owner {user.email}")
    return team


@transaction.atomic
def invite(by: Actor, team_name: str, *, email: str, role: str = Membership.Role.MEMBER) -> str:
    """Make the link by which somebody with an account of this address joins; gives its token.

    Raises:
        AccountError: It is no address, there is no such role, or they are a member already.
        ForbiddenError: It takes an owner.
    """
    team = find_team(by, team_name, to_own=True)
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        message = f"`{email[:80]}` is not an e-mail address"
        raise AccountError(message) from None
    _check_role(role)
    if Membership.objects.filter(team=team, user__email=address).exists():
        message = f"{address} is a member of `{team}` already"
        raise AccountError(message)
    token = secrets.token_urlsafe(32)
    now = timezone.now()
    Invitation.objects.filter(team=team, email=address, used_at=None).update(used_at=now)
    Invitation.objects.create(
        team=team,
        email=address,
        role=role,
        sha256=_hash(token),
        invited_by=by.who,
        expires_at=now + LASTS,
    )
    record(by, "team.invited", _about(team), after=f"{address} as {role}")
    return token


def invitation(token: str) -> Invitation:
    """The invitation of a token, which stays unused.

    Raises:
        UnknownError: There is none that works.
    """
    found = Invitation.objects.filter(
        sha256=_hash(token), used_at=None, expires_at__gt=timezone.now()
    ).select_related("team")
    one = found.first()
    if one is None:
        raise UnknownError(GONE)
    return one


@transaction.atomic
def join(by: Actor, token: str) -> Team:
    """Join a team by an invitation, which works no more after that.

    Raises:
        UnknownError: There is none that works.
        ForbiddenError: It is for another address.
    """
    found = invitation(token)
    user = User.objects.filter(email=by.who, is_active=True).first()
    if user is None or user.email != found.email:
        message = f"this invitation is for {found.email}; sign in with that account"
        raise ForbiddenError(message)
    # Of two who try at once, one succeeds.
    if not Invitation.objects.filter(pk=found.pk, used_at=None).update(used_at=timezone.now()):
        raise UnknownError(GONE)
    Membership.objects.get_or_create(team=found.team, user=user, defaults={"role": found.role})
    why = f"invited by {found.invited_by}"
    record(by, "team.joined", _about(found.team), after=f"{user.email} as {found.role}", why=why)
    return found.team


@transaction.atomic
def change_member(by: Actor, team_name: str, email: str, *, role: str, why: str = "") -> Membership:
    """Make a member an owner, or an owner a member. Owning passes on this way.

    Raises:
        UnknownError: There is no such member.
        AccountError: There is no such role, or nobody would own the team.
        ForbiddenError: It takes an owner.
    """
    team = find_team(by, team_name, to_own=True)
    _check_role(role)
    member = _member(team, email)
    before = member.role
    member.role = role
    member.save(update_fields=["role"])
    _must_have_owner(team)
    if before != role:
        record(by, "team.member_changed", _about(team), before=f"{email} {before}", after=role, why=why)
    return member


@transaction.atomic
def remove_member(by: Actor, team_name: str, email: str, *, why: str = "") -> None:
    """Take somebody out of a team; anybody can take themselves out.

    Raises:
        UnknownError: There is no such member.
        AccountError: Nobody would own the team.
        ForbiddenError: It takes an owner.
    """
    team = find_team(by, team_name, to_own=email.strip().lower() != by.who)
    member = _member(team, email)
    before = f"{member.user.email} {member.role}"
    member.delete()
    _must_have_owner(team)
    record(by, "team.member_removed", _about(team), before=before, why=why)


def _member(team: Team, email: str) -> Membership:
    # Of two who take each other's ownership, the second waits here.
    list(Membership.objects.select_for_update().filter(team=team))
    address = email.strip().lower()
    found = Membership.objects.filter(team=team, user__email=address).select_related("user").first()
    if found is None:
        message = f"{address[:80]} is no member of `{team}`"
        raise UnknownError(message)
    return found


def _must_have_owner(team: Team) -> None:
    owners = Membership.objects.filter(team=team, role=Membership.Role.OWNER, user__is_active=True)
    if not owners.exists():
        message = f"nobody would own `{team}`; make somebody else an owner first"
        raise AccountError(message)


def _check_role(role: str) -> None:
    if role not in ROLES:
        message = f"there is no role `{role[:40]}` in a team; there are {' and '.join(ROLES)}"
        raise AccountError(message)


def _about(team: Team) -> str:
    return f"team {team.name}"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
