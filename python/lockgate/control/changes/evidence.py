"""Evidence, gathered by the worker: the steps of `lockgate change run`, with progress."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from lockgate import _engine, changes
from lockgate.changes import STEPS
from lockgate.changes.evidence import assess
from lockgate.changes.pair import pair
from lockgate.control.audit.services import Actor, record
from lockgate.control.changes import drafts, gate, telling
from lockgate.control.changes.errors import ChangeError, NotAllowedError
from lockgate.control.changes.log import DatabaseLog
from lockgate.control.events.recordings import FIRST, name_of, recordings
from lockgate.control.worker import jobs
from lockgate.documents import problems_of

if TYPE_CHECKING:
    from lockgate.changes.steps import Name
    from lockgate.control.changes.drafts import Draft
    from lockgate.control.worker.jobs import Work
    from lockgate.control.worker.models import Job
    from lockgate.models import Model

KIND: Final = "change.evidence"
_NAMES: Final[tuple[Name, ...]] = tuple(step.name for step in STEPS)
_TELL_SECONDS: Final = 0.3
_MOST_NAMED: Final = 5


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
        nodes=_nodes(),
    )
    try:
        for status, _ in ran:
            found[status.step] = status.condition
            ended = wanted.index(status.step) + 1
            following = f"{wanted[ended]}: begins" if ended < len(wanted) else "done"
            work.tell(ended / len(wanted), following)
    except _engine.ProblemsError as error:
        message = "; ".join(f"{one}{f' ({one.help})' if one.help else ''}" for one in problems_of(error))
        raise ChangeError(message) from None
    draft = drafts.read(given["name"])
    telling.proven(draft, gate.status(draft))
    return found


def _nodes() -> str | None:
    """At which nodes the calls were that are replayed, when others have recorded, too.

    Recordings of several nodes are not replayed as one: each begins with what its node had counted of limits.
    """
    others = sorted(one.node for one in recordings() if one.node != FIRST)
    if not others:
        return None
    named = ", ".join(others[:_MOST_NAMED]) + (", …" if len(others) > _MOST_NAMED else "")
    return f"{name_of(FIRST)} alone, not at {named}"


def report_of(draft: Draft, name: Name) -> Model | None:
    """The report of a step, when its evidence is of the change as it is now."""
    step = next((one for one in STEPS if one.name == name), None)
    if step is None:
        return None
    with pair(draft.change) as documents:
        return assess(draft.change, step, documents)[1]
