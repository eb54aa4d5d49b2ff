"""Which teams and applications somebody has, and what they may do with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.control.access.models import Application, Membership, Team
from lockgate.control.accounts.errors import ForbiddenError, UnknownError

if TYPE_CHECKING:
    from lockgate.control.audit.services import Actor

OWN = "applications:own"
READ = "applications:read"
WRITE = "applications:write"
APPROVE = "subscriptions:approve"
PLANS = "plans:write"


def teams_of(actor: Actor) -> list[Team]:
    """The teams that a person is in."""
    return list(Team.objects.filter(memberships__user__email=actor.who).order_by("name"))


def applications_of(actor: Actor) -> list[Application]:
    """The applications of the teams that a person is in, without those that are over."""
    mine = Application.objects.filter(team__memberships__user__email=actor.who, retired_at=None)
    return list(mine.select_related("team").order_by("name"))


def find_team(actor: Actor, name: str, *, to_own: bool = False) -> Team:
    """A team that somebody may change.

    Args:
        actor: Who asks.
        name: The team's name.
        to_own: Whether it takes an owner: members, invitations and the team itself.

    Raises:
        UnknownError: There is no such team, or it is none of theirs.
        ForbiddenError: They are members and no owners.
    """
    team = Team.objects.filter(name=name).first()
    if team is None or (role_in(actor, team) is None and WRITE not in actor.permissions):
        # The same answer to both: a name of another team is not told.
        message = f"you have no team `{name}`"
        raise UnknownError(message)
    if to_own and not owns(actor, team):
        message = f"only an owner of `{name}` may do this"
        raise ForbiddenError(message)
    return team


def find_application(actor: Actor, name: str, *, to_read: bool = False, to_own: bool = False) -> Application:
    """An application that somebody may change, or look at.

    Raises:
        UnknownError: There is no such application, or it is none of theirs.
        ForbiddenError: It takes an owner of its team, or the application is over.
    """
    found = Application.objects.select_related("team").filter(name=name).first()
    may = {WRITE, *([READ] if to_read else [])} & actor.permissions
    if found is None or (role_in(actor, found.team) is None and not may):
        message = f"you have no application `{name}`"
        raise UnknownError(message)
    if to_own:
        find_team(actor, found.team.name, to_own=True)
    if not to_read and found.retired_at is not None:
        message = f"`{name}` is retired for ever; make another application"
        raise ForbiddenError(message)
    return found


def owns(actor: Actor, team: Team) -> bool:
    """Whether somebody may do what owners do: an owner, or one who may change every application."""
    return role_in(actor, team) == Membership.Role.OWNER or WRITE in actor.permissions


def role_in(actor: Actor, team: Team) -> str | None:
    """What somebody is in a team: owner, member, or nothing."""
    found = Membership.objects.filter(team=team, user__email=actor.who, user__is_active=True).first()
    return found.role if found else None
