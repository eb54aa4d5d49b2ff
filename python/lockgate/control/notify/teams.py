"""The people of an application: whoever is in its team."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.control.access.models import Application, Membership

if TYPE_CHECKING:
    from collections.abc import Sequence


def people_of(applications: Sequence[str]) -> set[int]:
    """The keys of the people in the teams of applications, by the applications' names."""
    teams = Application.objects.filter(name__in=applications).values("team")
    found = Membership.objects.filter(team__in=teams)
    return set(found.values_list("user_id", flat=True))
