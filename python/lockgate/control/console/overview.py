"""What the overview shows: the node's own counts, and the last hour of its recording."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Q, Sum
from django.utils import timezone

from lockgate.control import node
from lockgate.control.console.reasons import Reason, reason
from lockgate.control.events import index
from lockgate.control.events.models import BUCKET_SECONDS, Count
from lockgate.control.events.times import moment
from lockgate.state import Generations

if TYPE_CHECKING:
    from lockgate.running import Running
    from lockgate.state import Kept

_BARS: Final = 12
_HEIGHT: Final = 100


@dataclass(frozen=True)
class Refusals:
    """How many calls had a reason."""

    reason: Reason
    count: int
    share: float
    """Of all calls, in percent."""


@dataclass(frozen=True)
class Bar:
    """Five minutes of the last hour, as parts of a picture 100 high."""

    begins: datetime
    answered: int
    refused: int
    x: int
    answered_height: float
    refused_height: float

    @property
    def refused_y(self) -> float:
        """Where the refused part begins, from above: it stands on the ground."""
        return _HEIGHT - self.refused_height

    @property
    def answered_y(self) -> float:
        """Where the answered part begins."""
        return self.refused_y - self.answered_height


@dataclass(frozen=True)
class Overview:
    """Everything of the page."""

    node: Running | None
    stats: dict[str, Any] | None
    refusals: list[Refusals]
    refused: int
    refused_share: float
    services: list[dict[str, Any]]
    rollout: dict[str, Any] | None
    generations: list[Kept]
    bars: list[Bar]
    hour: int
    """Calls of the last hour, as far as they are in the database."""
    records: bool


def overview() -> Overview:
    """Ask the node and the database."""
    stats, kept = node.stats(), node.generations()
    counted: dict[str, int] = (stats or {}).get("refusals", {})
    requests = (stats or {}).get("requests", 0)
    refused = sum(counted.values())
    ranked = sorted(counted.items(), key=lambda pair: -pair[1])
    bars = _bars()
    return Overview(
        node=node.running(),
        stats=stats,
        refusals=[Refusals(reason(code), count, _share(count, requests)) for code, count in ranked],
        refused=refused,
        refused_share=_share(refused, requests),
        services=[_service(name, one) for name, one in (stats or {}).get("upstreams", {}).items()],
        rollout=node.rollout(),
        generations=Generations.model_validate(kept).kept if kept else [],
        bars=bars,
        hour=sum(bar.answered + bar.refused for bar in bars),
        records=index.folder() is not None,
    )


def _service(name: str, said: dict[str, Any]) -> dict[str, Any]:
    targets = said.get("targets", [])
    healthy = sum(bool(target.get("healthy")) for target in targets)
    return {
        "name": name,
        "healthy": healthy,
        "targets": len(targets),
        "in_flight": said.get("requests_in_flight", 0),
        "is_open": said.get("circuit_open", False),
        "is_whole": healthy == len(targets) and not said.get("circuit_open", False),
    }


def _bars() -> list[Bar]:
    now = int(timezone.now().timestamp())
    last = now - now % BUCKET_SECONDS
    first = last - (_BARS - 1) * BUCKET_SECONDS
    sums = (
        Count.objects.filter(bucket__gte=first)
        .values("bucket")
        .annotate(all=Sum("count"), refused=Sum("count", filter=~Q(code="")))
    )
    found = {row["bucket"]: (row["all"], row["refused"] or 0) for row in sums}
    counts = [found.get(first + place * BUCKET_SECONDS, (0, 0)) for place in range(_BARS)]
    scale = _HEIGHT / max(1, *(every for every, _ in counts))
    return [
        Bar(
            begins=moment(first) + timedelta(seconds=place * BUCKET_SECONDS),
            answered=every - refused,
            refused=refused,
            x=place * 10,
            answered_height=round((every - refused) * scale, 2),
            refused_height=round(refused * scale, 2),
        )
        for place, (every, refused) in enumerate(counts)
    ]


def _share(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0
