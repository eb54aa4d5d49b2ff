"""People who change things, and drafts that they bring as far as a test needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from changing import SCOPE
from lockgate.control.accounts.roles import permissions_of
from lockgate.control.audit.services import Actor
from lockgate.control.changes import drafts, evidence, gate, impact
from lockgate.control.changes.impact import Impact
from lockgate.control.worker.running import Worker
from lockgate.control.worker.tasks import KINDS
from lockgate.replays import Replay

if TYPE_CHECKING:
    from lockgate.control.worker.models import Job

ADA = Actor("ada@example.com", "192.0.2.1", permissions_of("security_engineer"))
BOB = Actor("bob@example.com", "192.0.2.2", permissions_of("approver"))
ROOT = Actor("root@example.com", "192.0.2.3", permissions_of("platform_admin"))


def begin(name: str = "tighten") -> drafts.Draft:
    return drafts.begin(ADA, name=name, purpose="orders are read by those who may")


def write(name: str = "tighten", more: str = "") -> drafts.Draft:
    """A draft that asks for a scope which nobody has."""
    draft = begin(name)
    drafts.save_document(ADA, name, draft.text + SCOPE % more, was=draft.seen)
    return drafts.read(name)


def gather(name: str = "tighten") -> Job:
    job = evidence.ask(ADA, name)
    Worker((), KINDS).run_waiting()
    job.refresh_from_db()
    return job


def conditions(name: str = "tighten") -> dict[str, str]:
    return {step.step: step.condition for step in gate.status(drafts.read(name)).steps}


def replayed(name: str = "tighten") -> Replay:
    report = evidence.report_of(drafts.read(name), "replay")
    assert isinstance(report, Replay)
    return report


def proven(name: str = "tighten", more: str = "") -> None:
    """A draft whose evidence holds: what it newly refuses is meant."""
    write(name, more)
    gather(name)
    keys = [hit.key for hit in Impact(replayed(name)).hits]
    drafts.save_own(ADA, name, drafts.EXPECT, impact.stated(replayed(name), keys))
    gather(name)
