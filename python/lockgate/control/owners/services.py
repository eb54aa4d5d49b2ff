"""Saying who owns an API. The act and its audit entry stand or fall together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction
from django.urls import reverse

from lockgate.changes.owners import touched
from lockgate.changes.pair import pair
from lockgate.control.access.models import Team
from lockgate.control.accounts.errors import AccountError, ForbiddenError, UnknownError
from lockgate.control.accounts.models import User
from lockgate.control.audit.services import record
from lockgate.control.changes import drafts
from lockgate.control.changes.errors import ChangeError
from lockgate.control.changes.models import Proposal
from lockgate.control.notify.event import Event, Holders
from lockgate.control.notify.services import send
from lockgate.control.owners.models import ApiOwner
from lockgate.control.owners.people import APPROVE, is_owned, people_of
from lockgate.control.portal.served import read_catalogue
from lockgate.documents import diff

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.control.audit.services import Actor

READ = "owners:read"
WRITE = "owners:write"
MOST_OWNERS = 20


@dataclass(frozen=True)
class Owned:
    """An API with its owners."""

    api: str
    title: str
    is_served: bool
    users: list[str]
    teams: list[str]
    approvers: list[str]
    """The people behind them who may approve changes."""

    @property
    def is_owned(self) -> bool:
        """Whether it has owners."""
        return bool(self.users or self.teams)

    @property
    def owners(self) -> str:
        """All of them, as the audit log says it."""
        return ", ".join([*self.users, *(f"team {name}" for name in self.teams)]) or "nobody"


def every() -> list[Owned]:
    """The APIs that are served, and those that are not and have owners."""
    served = {api.name: api.title for api in read_catalogue().apis}
    named = ApiOwner.objects.values_list("api", flat=True).distinct()
    return [_owned(api, served) for api in sorted({*served, *named})]


def find(api: str) -> Owned:
    """An API with its owners.

    Raises:
        UnknownError: None of this name is served, and none has owners.
    """
    served = {one.name: one.title for one in read_catalogue().apis}
    if api not in served and not is_owned(api):
        known = ", ".join(sorted(served)) or "none yet"
        message = f"no API `{api[:80]}` is served; there are: {known}"
        raise UnknownError(message)
    return _owned(api, served)


@transaction.atomic
def own(by: Actor, api: str, *, users: Iterable[str], teams: Iterable[str], why: str = "") -> Owned:
    """Say who owns an API; with nobody, whoever may approve changes approves those of it, as before.

    Args:
        by: Who says so.
        api: The API.
        users: The addresses of people.
        teams: The names of teams.
        why: For the audit log.

    Raises:
        UnknownError: There is no such API.
        AccountError: There is no such person or team, or none of them may approve changes.
        ForbiddenError: They may not, or wrote an open change that touches the API.
    """
    if WRITE not in by.permissions:
        message = "who owns an API is said by platform admins"
        raise ForbiddenError(message)
    # Whoever changes owners at the same time waits; the newest list is whole.
    list(ApiOwner.objects.select_for_update().filter(api=api))
    before = find(api)
    people, groups = _people(users), _teams(teams)
    if len(people) + len(groups) > MOST_OWNERS:
        message = f"an API has at most {MOST_OWNERS} owners; name a team in place of its people"
        raise AccountError(message)
    if {one.email for one in people} == {*before.users} and {one.name for one in groups} == {*before.teams}:
        return before
    if mine := _touched_by(by, api):
        message = (
            f"you wrote a part of the open change `{mine}`, which touches `{api}`: "
            "somebody else says who has to approve it"
        )
        raise ForbiddenError(message)
    told = set(people_of(api))
    ApiOwner.objects.filter(api=api).delete()
    ApiOwner.objects.bulk_create(
        [*(ApiOwner(api=api, user=one) for one in people), *(ApiOwner(api=api, team=one) for one in groups)]
    )
    if (people or groups) and not people_of(api, APPROVE).exists():
        message = (
            f"nobody of them may approve changes, so nobody could change `{api}` any more; "
            "name somebody who is an API owner, an approver or a platform admin"
        )
        raise AccountError(message)
    after = find(api)
    record(by, "api.owners_changed", f"api {api}", before=before.owners, after=after.owners, why=why)
    send(
        Event(
            kind="change.owners",
            title=f"{api} is owned by {after.owners}"[:200],
            text=f"{by.who} says so; before, it was {before.owners}. Owners approve changes of the API "
            "and are told what its callers report.",
            link=reverse("api_owner", args=[api]),
            to=[Holders(WRITE), *(told | set(people_of(api)))],
            data={"api": api, "users": after.users, "teams": after.teams, "by": by.who},
        )
    )
    return after


def _owned(api: str, served: dict[str, str]) -> Owned:
    rows = ApiOwner.objects.filter(api=api).select_related("user", "team")
    return Owned(
        api=api,
        title=served.get(api, api),
        is_served=api in served,
        users=sorted(row.user.email for row in rows if row.user),
        teams=sorted(row.team.name for row in rows if row.team),
        approvers=[user.email for user in people_of(api, APPROVE)],
    )


def _people(given: Iterable[str]) -> list[User]:
    found = []
    for address in sorted({text.strip().lower() for text in given if text.strip()}):
        user = User.objects.filter(email=address, is_active=True).first()
        if user is None:
            message = f"{address[:80]} has no account that works; invite them on the page Users"
            raise AccountError(message)
        found.append(user)
    return found


def _teams(given: Iterable[str]) -> list[Team]:
    found = []
    for name in sorted({text.strip() for text in given if text.strip()}):
        team = Team.objects.filter(name=name).first()
        if team is None:
            message = f"there is no team `{name[:80]}`"
            raise AccountError(message)
        found.append(team)
    return found


def _touched_by(by: Actor, api: str) -> str | None:
    """An open change that somebody wrote a part of and that touches an API."""
    for proposal in Proposal.objects.filter(stage__in=(Proposal.Stage.DRAFT, Proposal.Stage.ROLLED_BACK)):
        if by.who in proposal.editors and _touches(proposal.name, api):
            return proposal.name
    return None


def _touches(name: str, api: str) -> bool:
    try:
        change = drafts.read(name).change
    except ChangeError:
        return False
    with pair(change) as documents:
        if not documents.candidate_check.ok or not documents.base_check.ok:
            # Nobody knows yet what it will touch.
            return documents.candidate_check.id != documents.base_check.id
        return api in touched(documents, diff(documents.base, documents.candidate), None)
