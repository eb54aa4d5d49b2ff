"""What the overview shows: the node's own counts, and the last hour of its recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from lockgate.control import node
from lockgate.control.alerts.listing import open_alerts
from lockgate.control.analytics.drawn import traffic
from lockgate.control.audit.models import Entry
from lockgate.control.changes import rollouts
from lockgate.control.console.reasons import Reason, reason
from lockgate.control.events import index
from lockgate.control.events.lateness import in_words, worth_saying
from lockgate.control.events.models import BUCKET_SECONDS
from lockgate.control.events.times import Span
from lockgate.control.nodes.models import Node
from lockgate.state import Generations

if TYPE_CHECKING:
    from lockgate.control.analytics.charts import Chart
    from lockgate.rollout import RolloutStatus
    from lockgate.running import Running
    from lockgate.state import Kept

_HOUR: Final = 3_600
_MOST_CHANGES: Final = 6
_MOST_REASONS: Final = 8
_CHANGES: Final = {
    "revision.served": "callers met another revision",
    "revision.rolled_back": "went back to an older revision",
    "change.rollout.begun": "a rollout began",
    "change.rollout.ended": "a rollout ended",
    "change.break_glass": "the glass was broken",
    "rollout.promote": "a rollout was promoted",
    "rollout.pause": "a rollout was paused",
    "rollout.resume": "a rollout went on",
    "rollout.abort": "a rollout was ended",
}
"""What changes what callers meet, in words."""


@dataclass(frozen=True)
class Refusals:
    """How many calls had a reason."""

    reason: Reason
    count: int
    share: float
    """Of all calls, in percent."""


@dataclass(frozen=True)
class Changed:
    """Something that changed what callers meet."""

    entry: Entry

    @property
    def at(self) -> str:
        """When, in UTC."""
        return f"{self.entry.at[:10]} {self.entry.at[11:19]}"

    @property
    def what(self) -> str:
        """What happened, in words."""
        return _CHANGES[self.entry.action]

    @property
    def change(self) -> str:
        """The name of the change; empty when it was none."""
        return self.entry.object.removeprefix("change ") if self.entry.object.startswith("change ") else ""


@dataclass(frozen=True)
class Overview:
    """Everything of the page."""

    node: Running | None
    stats: dict[str, Any] | None
    refusals: list[Refusals]
    """The most frequent reasons."""
    more_reasons: int
    """How many there are besides."""
    refused: int
    refused_share: float
    services: list[dict[str, Any]]
    rollout: RolloutStatus | None
    """The one that runs; nothing when none does."""
    generations: list[Kept]
    changed: list[Changed]
    """What changed last, the newest first."""
    hour: Chart
    records: bool
    alerts: int
    """Alerts that nobody has looked at."""
    behind: str
    """Of which nodes not everything is here; empty when all is."""
    others: int
    """How many nodes there are beside the first: its counts are its own, and not theirs."""


def overview() -> Overview:
    """Ask the node and the database."""
    stats, kept = node.stats(), node.generations()
    counted: dict[str, int] = (stats or {}).get("refusals", {})
    requests = (stats or {}).get("requests", 0)
    refused = sum(counted.values())
    ranked = sorted(counted.items(), key=lambda pair: -pair[1])
    return Overview(
        node=node.running(),
        stats=stats,
        refusals=[
            Refusals(reason(code), count, _share(count, requests)) for code, count in ranked[:_MOST_REASONS]
        ],
        more_reasons=max(0, len(ranked) - _MOST_REASONS),
        refused=refused,
        refused_share=_share(refused, requests),
        services=[_service(name, one) for name, one in (stats or {}).get("upstreams", {}).items()],
        rollout=_rollout(),
        generations=Generations.model_validate(kept).kept if kept else [],
        changed=[
            Changed(one) for one in Entry.objects.filter(action__in=_CHANGES).order_by("-seq")[:_MOST_CHANGES]
        ],
        hour=_last_hour(),
        records=index.folder() is not None,
        alerts=open_alerts(),
        behind=in_words(worth_saying()),
        others=Node.objects.filter(is_first=False, removed_at=None).count(),
    )


def _rollout() -> RolloutStatus | None:
    now = rollouts.current()
    return now if now is not None and now.running else None


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


def _last_hour() -> Chart:
    now = int(timezone.now().timestamp())
    end = now - now % BUCKET_SECONDS + BUCKET_SECONDS
    return traffic(Span(end - _HOUR, end), step=BUCKET_SECONDS, name="hour", title="The last hour")


def _share(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0
