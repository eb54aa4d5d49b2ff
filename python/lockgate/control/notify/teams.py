"""The people of an application: whoever is in its team."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import apps

if TYPE_CHECKING:
    from collections.abc import Sequence


def people_of(applications: Sequence[str]) -> set[int]:
    """The keys of the people in the teams of applications, by the applications' names."""
    if not applications or not apps.is_installed("lockgate.control.access"):
        return set()
    members = apps.get_model("access", "Membership").objects
    return set(members.filter(team__application__name__in=applications).values_list("user_id", flat=True))
