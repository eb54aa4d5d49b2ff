"""The people of an application: whoever is in its team."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.control.access.models import Membership

if TYPE_CHECKING:
    from collections.abc import Sequence


def people_of(applications: Sequence[str]) -> set[int]:
    """The keys of the people in the teams of applications, by the applications' names."""
    found = Membership.objects.filter(team__applications__name__in=applications)
    return set(found.values_list("user_id", flat=True))
