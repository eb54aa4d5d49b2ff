"""What the recordings of nodes tell of each, for the page of nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.utils import timezone

from lockgate.control.analytics.queries.nodes import TrafficByNode
from lockgate.control.events.index import folder
from lockgate.control.events.lateness import behind
from lockgate.control.events.models import Segment
from lockgate.control.events.recordings import FIRST
from lockgate.control.events.times import last, moment

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from lockgate.control.nodes.models import Node

MOST: Final = 1_000
"""How many nodes are counted for themselves."""


@dataclass(frozen=True)
class OfNode:
    """What is known of a node's calls of the last 24 hours."""

    calls: int = 0
    refused: int = 0
    failed: int = 0
    last: datetime | None = None
    """When its newest segment that is here ends."""
    here: datetime | None = None
    """Until when its calls are here; nothing when all are."""
    behind: str = ""
    """Why not everything of it is here."""
    is_late: bool = False

    @property
    def share(self) -> float:
        """Refused calls of all, in percent."""
        return 100 * self.refused / self.calls if self.calls else 0.0


def of_nodes(nodes: Iterable[Node]) -> dict[str, OfNode]:
    """What is known of each node, by its name; nothing when nothing is recorded."""
    if folder() is None:
        return {}
    counted = {
        row.node: row for row in TrafficByNode(span=last("last_24_hours", timezone.now()), limit=MOST).run()
    }
    late = {one.node: one for one in behind()}
    found = {}
    for node in nodes:
        row, missing = counted.get(node.name), late.get(node.name)
        newest = Segment.objects.filter(node=FIRST if node.is_first else node.name)
        ended = newest.order_by("-first_at", "-number").values_list("last_at", flat=True).first()
        found[node.name] = OfNode(
            calls=row.calls if row else 0,
            refused=row.refused if row else 0,
            failed=row.failed if row else 0,
            last=moment(ended / 1_000_000) if ended else None,
            here=moment(missing.since / 1_000_000) if missing else None,
            behind=missing.why if missing else "",
            is_late=missing.is_late if missing else False,
        )
    return found
