"""Evidence, gathered by the worker: the steps of `lockgate change run`, with progress."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import Sum

from lockgate import _engine, changes
from lockgate.changes import STEPS
from lockgate.changes.evidence import assess
from lockgate.changes.pair import pair
from lockgate.control.audit.services import Actor, record
from lockgate.control.changes import drafts, gate, telling
from lockgate.control.changes.errors import ChangeError, NotAllowedError
from lockgate.control.changes.log import DatabaseLog
from lockgate.control.events.lateness import behind, lost
from lockgate.control.events.models import Segment
from lockgate.control.events.recordings import FIRST, recordings
from lockgate.control.nodes.models import Node
from lockgate.control.worker import jobs
from lockgate.documents import problems_of
from lockgate.replays import MOST_NAMED

if TYPE_CHECKING:
    from lockgate.changes.steps import Name
    from lockgate.control.changes.drafts import Draft
    from lockgate.control.worker.jobs import Work
    from lockgate.control.worker.models import Job
    from lockgate.models import Model

KIND: Final = "change.evidence"
_NAMES: Final[tuple[Name, ...]] = tuple(step.name for step in STEPS)
_TELL_SECONDS: Final = 0.3


def ask(by: Actor, name: str, *, again: bool = False, only: Name | None = None) -> Job:
    """Have evidence gathered that is missing or stale; while it is, those who ask again get the same job.

    Args:
        by: Who asks.
        name: The change.
        again: Also what holds.
        only: Only this step.

    Raises:
        ChangeError: The change is not open.
    """
    draft = drafts.read(name)
    if not draft.proposal.is_open:
        message = f"`{name}` is {draft.proposal.get_stage_display().lower()}; its evidence stays as it is"
        raise NotAllowedError(message)
    if only is not None and only not in _NAMES:
        message = f"there is no step `{only}`; there are {', '.join(_NAMES)}"
        raise ChangeError(message)
    given = {"name": name, "who": by.who, "address": by.address, "again": again, "only": only}
    return jobs.ask(KIND, given, by=by.who, subject=name)


def job_of(name: str) -> Job | None:
    """The last time that evidence was gathered."""
    return jobs.latest(KIND, name)


def cancel(by: Actor, name: str) -> None:
    """Stop gathering evidence; what was found so far stays.

    Raises:
        ChangeError: None is gathered.
    """
    job = job_of(name)
    if job is None or not jobs.cancel(job.pk):
        message = f"no evidence of `{name}` is gathered now"
        raise ChangeError(message)
    with transaction.atomic():
        record(by, "change.evidence.cancelled", f"change {name}", details={"asked by": job.asked_by})


def gather(work: Work) -> dict[str, Any]:
    """Gather it, in the worker."""
    given = work.input
    draft = drafts.read(given["name"])
    wanted = [given["only"]] if given["only"] else list(_NAMES)
    told = 0.0

    def hear(step: Name, words: str, done: int, of: int) -> None:
        nonlocal told
        if time.monotonic() - told < _TELL_SECONDS:
            return
        told = time.monotonic()
        part = min(1.0, done / of) if of else 0.5
        work.tell((wanted.index(step) + part) / len(wanted), f"{step}: {words}")

    work.tell(0.0, f"{wanted[0]}: begins")
    found: dict[str, str] = {}
    ran = changes.run(
        draft.change,
        log=DatabaseLog(Actor(given["who"], given["address"])),
        who=given["who"],
        only=wanted,
        again=given["again"],
        watch=hear,
        missing=_missing(draft),
    )
    try:
        for status, _ in ran:
            found[status.step] = status.condition
            ended = wanted.index(status.step) + 1
            following = f"{wanted[ended]}: begins" if ended < len(wanted) else "done"
            work.tell(ended / len(wanted), following)
    except _engine.ProblemsError as error:
        those = [drafts.named(draft, one) for one in problems_of(error)]
        message = "; ".join(f"{one}{f' ({one.help})' if one.help else ''}" for one in those)
        if draft.needs_cases:
            message = "there is no policy test yet; write one that says what must hold, under *Policy tests*"
        raise ChangeError(message) from None
    draft = drafts.read(given["name"])
    telling.proven(draft, gate.status(draft))
    return found


def _missing(draft: Draft) -> list[str]:
    """Which calls at other nodes are not replayed, a sentence each; what is a few seconds late is not one."""
    others = {one.node for one in recordings() if one.node != FIRST and one.names()}
    if others and draft.change.file.nodes is None:
        names = sorted(others)
        more = ", …" if len(names) > MOST_NAMED else ""
        # It is older than that their calls are replayed; a new base names them.
        return [
            f"calls at {', '.join(names[:MOST_NAMED])}{more} are not replayed: the change names no `nodes`"
        ]
    late = [one for one in behind() if one.is_late]
    known = others | {one.node for one in late}
    empty = Node.objects.filter(removed_at=None, is_first=False).exclude(name__in=known).order_by("name")
    gone = Segment.objects.exclude(node=FIRST).filter(missing__gt=0).values_list("node")
    return [
        *(one.why for one in late),
        *(f"nothing is recorded of {node}" for node in empty),
        *(
            f"{number:,} segment{'' if number == 1 else 's'} of {node} were deleted before they were pushed"
            for node, number in gone.annotate(Sum("missing")).order_by("node")
        ),
        *lost(),
    ]


def report_of(draft: Draft, name: Name) -> Model | None:
    """The report of a step, when its evidence is of the change as it is now."""
    step = next((one for one in STEPS if one.name == name), None)
    if step is None:
        return None
    with pair(draft.change) as documents:
        return assess(draft.change, step, documents)[1]
