"""Who the owners of an API are: those who are named, and the members of teams that are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q

from lockgate.control.accounts.models import User
from lockgate.control.accounts.roles import ROLES, permissions_of
from lockgate.control.owners.models import ApiOwner

if TYPE_CHECKING:
    from django.db.models import QuerySet

APPROVE = "changes:approve"


def people_of(api: str, permission: str = "") -> QuerySet[User]:
    """The people who own an API and have an account that works.

    Args:
        api: Its name.
        permission: Only those who have this permission.
    """
    named = Q(owned_apis__api=api) | Q(memberships__team__owned_apis__api=api)
    found = User.objects.filter(named, is_active=True)
    if permission:
        found = found.filter(role__in=[one.name for one in ROLES if permission in permissions_of(one.name)])
    return found.distinct().order_by("email")


def is_owned(api: str) -> bool:
    """Whether an API has owners, be there anybody behind them or not."""
    return ApiOwner.objects.filter(api=api).exists()


def approvers(but: list[str]) -> dict[str, list[str]]:
    """By API that has owners, those of them who may approve changes of it.

    An API whose owners may approve nothing stands there with nobody: it does not become one without owners.

    Args:
        but: Addresses of people who wrote a part of the change.
    """
    wrote = {one.casefold() for one in but}
    return {
        api: [user.email for user in people_of(api, APPROVE) if user.email.casefold() not in wrote]
        for api in ApiOwner.objects.order_by("api").values_list("api", flat=True).distinct()
    }
