"""The segments that are not in Parquet yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef

from lockgate.control.analytics.models import Taken
from lockgate.control.events.models import Segment

if TYPE_CHECKING:
    from django.db.models import QuerySet


def waiting() -> QuerySet[Segment]:
    """The segments that were indexed and are not here yet, in their order."""
    there = Taken.objects.filter(node=OuterRef("node"), segment=OuterRef("name"))
    return Segment.objects.filter(~Exists(there)).order_by("first_at", "number")
