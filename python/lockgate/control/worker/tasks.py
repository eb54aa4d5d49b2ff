"""What the worker does: tasks every so often, and jobs when somebody asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lockgate.control.access import delivery, expiry, usage
from lockgate.control.access.oauth import keys
from lockgate.control.accounts.letters import write
from lockgate.control.alerts.cluster_watch import watch_cluster
from lockgate.control.alerts.detect import look
from lockgate.control.alerts.node_watch import watch_expiry, watch_node
from lockgate.control.alerts.settle import settle
from lockgate.control.analytics.burn import watch_budgets
from lockgate.control.analytics.watch import watch
from lockgate.control.analytics.worker import keep_house, send_recording, take_recording
from lockgate.control.changes import evidence, git_source, rollouts
from lockgate.control.changes.scheduled import begin_due
from lockgate.control.events.worker import read_recording
from lockgate.control.feeds import deciding, looking
from lockgate.control.nodes import publishing, segments
from lockgate.control.notify.delivery import deliver, forget
from lockgate.control.portal.served import observe
from lockgate.control.worker.jobs import forget_old

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from lockgate.control.worker.jobs import Work


@dataclass(frozen=True)
class Task:
    """Something that is done every so often.

    `run` does one bounded round. It may run in several processes at once: it takes the lock of a row, or
    does no harm.
    """

    name: str
    every_seconds: float
    run: Callable[[], None]


@dataclass(frozen=True)
class Kind:
    """A kind of job. `run` gives the result, and raises what `jobs.Work.tell` raises."""

    name: str
    run: Callable[[Work], Any]


TASKS: Final[tuple[Task, ...]] = (
    Task("events.index", 2.0, read_recording),
    Task("analytics.take", 2.0, take_recording),
    Task("analytics.send", 2.0, send_recording),
    Task("analytics.keep", 300.0, keep_house),
    Task("analytics.watch", 30.0, watch),
    Task("analytics.budgets", 60.0, watch_budgets),
    Task("alerts.look", 1.0, look),
    Task("alerts.settle", 5.0, settle),
    Task("alerts.node", 5.0, watch_node),
    Task("alerts.cluster", 5.0, watch_cluster),
    Task("alerts.expiry", 3_600.0, watch_expiry),
    Task("changes.follow", 1.0, rollouts.follow),
    Task("changes.git", 15.0, git_source.follow),
    Task("changes.begin", 5.0, begin_due),
    Task("feeds.look", 5.0, looking.look),
    Task("feeds.decide", 3.0, deciding.follow),
    Task("nodes.follow", 1.0, publishing.follow),
    Task("nodes.keep", 600.0, segments.forget_old),
    Task("worker.forget", 3_600.0, forget_old),
    Task("access.tell", 2.0, delivery.follow),
    Task("access.usage", 10.0, usage.read),
    Task("access.keys", 3_600.0, usage.forget_old),
    Task("access.expiry", 600.0, expiry.warn),
    Task("access.token_keys", 3_600.0, keys.rotate_old),
    Task("access.forget", 3_600.0, delivery.forget_old),
    Task("portal.catalogue", 5.0, observe),
    Task("accounts.letters", 2.0, write),
    Task("notify.deliver", 2.0, deliver),
    Task("notify.forget", 3_600.0, forget),
)
KINDS: Final[tuple[Kind, ...]] = (Kind(evidence.KIND, evidence.gather),)
