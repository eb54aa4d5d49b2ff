"""The table of owners of APIs."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from lockgate.control.access.models import Team


class ApiOwner(models.Model):
    """A person or a team who answers for an API. What owns an API is not deleted: it would have none then."""

    api = models.CharField(max_length=128, db_index=True)
    """The name of the API in the document."""
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="owned_apis"
    )
    team = models.ForeignKey(Team, null=True, on_delete=models.PROTECT, related_name="owned_apis")
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        """Somebody, once for each API."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["api", "user"], name="one_owner_of_api"),
            models.UniqueConstraint(fields=["api", "team"], name="one_owning_team_of_api"),
            models.CheckConstraint(
                condition=models.Q(user__isnull=False, team__isnull=True)
                | models.Q(user__isnull=True, team__isnull=False),
                name="owner_is_user_or_team",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user or self.team} owns {self.api}"
