"""Changes in the admin API: all that the pages of changes do, through the same functions."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - the schemas read it
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse  # noqa: TC002 - ninja reads the annotations
from ninja import Router, Schema
from pydantic import Field

from lockgate.audit import AuditError
from lockgate.control.api.credentials import needs
from lockgate.control.api.forms import Strict, Why
from lockgate.control.changes import drafts, evidence, gate, scheduled
from lockgate.control.changes.errors import ChangeError, NotAllowedError, UnknownChangeError, UnsoundError
from lockgate.control.changes.impact import Impact, in_words
from lockgate.control.changes.models import Proposal
from lockgate.control.problems import problem
from lockgate.replays import Replay

if TYPE_CHECKING:
    from ninja import NinjaAPI

    from lockgate.control.audit.services import Actor
    from lockgate.control.changes.drafts import Draft

router = Router(tags=["changes"])
MOST = 1_000


def install(api: NinjaAPI) -> None:
    """Add the routes, and what is answered when a change cannot be done as it was asked."""
    api.add_router("", router)
    for sort, status in ((UnknownChangeError, 404), (NotAllowedError, 403), (AuditError, 503)):
        api.add_exception_handler(sort, _answer(status))
    api.add_exception_handler(ChangeError, _answer(422))


def _answer(status: int) -> Any:  # noqa: ANN401 - as ninja has it
    def answer(_request: HttpRequest, error: Exception) -> HttpResponse:
        if isinstance(error, UnsoundError):
            return problem(status, str(error), problems=[one.model_dump() for one in error.problems])
        return problem(status, str(error))

    return answer


class ChangeOut(Schema):
    """A change as lists show it."""

    name: str
    purpose: str
    author: str
    editors: list[str]
    stage: str
    says: str
    created_at: datetime
    begin_at: datetime | None
    began_at: datetime | None
    began_by: str
    break_glass: str
    rollout: str
    ended_at: datetime | None


class ChangeDetail(Schema):
    """A change with what it has and what it lacks."""

    change: ChangeOut
    file: dict[str, Any]
    """What `change.yaml` says."""
    status: dict[str, Any]
    """As `lockgate change status --json` prints it."""
    ready: bool
    lacks: list[str]
    expected: str
    """The decisions that may differ while it rolls out."""
    impact: str | None
    """Whom it would meet, when a replay of the change as it is now says so."""
    job: JobOut | None


class JobOut(Schema):
    """How far the gathering of evidence is."""

    id: int
    state: str
    progress: float
    now: str
    error: str


class NewChange(Strict):
    """A change to begin."""

    name: str = Field(max_length=64)
    purpose: str = Field(max_length=2_000)


class DocumentOut(Schema):
    """What shall be served. Send `was` back with what you made of it."""

    text: str
    was: str
    problems: list[dict[str, Any]]
    id: str | None


class DocumentIn(Strict):
    """What shall be served, in the place of the text that `was` tells."""

    text: str = Field(max_length=drafts.MOST_CHARACTERS)
    was: str = Field(max_length=64)


class TextIn(Strict):
    """A text."""

    text: str = Field(max_length=drafts.MOST_CHARACTERS)


class AboutIn(Strict):
    """Parts of `change.yaml`; what is left out stays."""

    purpose: str | None = Field(None, max_length=2_000)
    owner: str | None = Field(None, max_length=2_000)
    measure: str | None = Field(None, max_length=2_000)
    expires: str | None = None
    acknowledge: list[str] | None = None
    cases: dict[str, Any] | None = None
    attack: dict[str, Any] | None = None
    rollout: dict[str, Any] | None = None


class GatherIn(Strict):
    """What to gather."""

    only: str | None = None
    again: bool = False


class BeginIn(Strict):
    """When to begin, or why the glass is broken; at once and with all evidence when both are left out."""

    at: datetime | None = None
    break_glass: str | None = Field(None, max_length=2_000)


@router.get("/changes", response=list[ChangeOut], auth=needs("changes:read"))
def changes(request: HttpRequest) -> list[Proposal]:  # noqa: ARG001
    """Every change, the newest first."""
    return list(Proposal.objects.all()[:MOST])


@router.post("/changes", response={201: ChangeDetail}, auth=needs("changes:write"))
def begin(request: HttpRequest, body: NewChange) -> dict[str, Any]:
    """Begin a change: a copy of the document that is served, to be edited."""
    return _told(drafts.begin(_caller(request), name=body.name, purpose=body.purpose))


@router.get("/changes/{name}", response=ChangeDetail, auth=needs("changes:read"))
def change(request: HttpRequest, name: str) -> dict[str, Any]:  # noqa: ARG001
    """A change: what its evidence says, and what it lacks."""
    return _told(drafts.read(name))


@router.patch("/changes/{name}", response=ChangeDetail, auth=needs("changes:write"))
def save_about(request: HttpRequest, name: str, body: AboutIn) -> dict[str, Any]:
    """Change purpose, owner, measure, plan and settings of the steps. An approval is gone then."""
    said = body.model_dump(exclude_unset=True)
    before = drafts.read(name).change.file.model_dump(mode="json")
    merged = {
        field: {**before[field], **value} if isinstance(value, dict) else value
        for field, value in said.items()
    }
    return _told(drafts.save_about(_caller(request), name, **merged))


@router.get("/changes/{name}/document", response=DocumentOut, auth=needs("changes:read"))
def document(request: HttpRequest, name: str) -> dict[str, Any]:  # noqa: ARG001
    """What shall be served, with its problems."""
    return _document(drafts.read(name))


@router.put("/changes/{name}/document", response=DocumentOut, auth=needs("changes:write"))
def save_document(request: HttpRequest, name: str, body: DocumentIn) -> dict[str, Any]:
    """Save what shall be served. Text with errors is kept as well; `problems` says what is wrong."""
    drafts.save_document(_caller(request), name, body.text, was=body.was)
    return _document(drafts.read(name))


@router.post("/changes/{name}/document/check", response=dict[str, Any], auth=needs("changes:write"))
def check(request: HttpRequest, name: str, body: TextIn) -> dict[str, Any]:  # noqa: ARG001
    """Check a text in the place of the document. Nothing is kept."""
    return drafts.check_text(drafts.read(name), body.text).model_dump(mode="json")


@router.put("/changes/{name}/files/{file}", response=ChangeDetail, auth=needs("changes:write"))
def save_own(request: HttpRequest, name: str, file: str, body: TextIn) -> dict[str, Any]:
    """Save the expectation (`expect.yaml`) or the policy tests (`cases.yaml`) of a change."""
    drafts.save_own(_caller(request), name, file, body.text)
    return _told(drafts.read(name))


@router.post("/changes/{name}/evidence", response={202: JobOut}, auth=needs("changes:write"))
def gather(request: HttpRequest, name: str, body: GatherIn) -> Any:  # noqa: ANN401
    """Have evidence gathered that is missing or stale; ask for the change to see how far it is."""
    only: Any = body.only
    return evidence.ask(_caller(request), name, again=body.again, only=only)


@router.delete("/changes/{name}/evidence", response=ChangeDetail, auth=needs("changes:write"))
def cancel(request: HttpRequest, name: str) -> dict[str, Any]:
    """Stop gathering evidence."""
    evidence.cancel(_caller(request), name)
    return _told(drafts.read(name))


@router.get("/changes/{name}/evidence/{step}", response=dict[str, Any], auth=needs("changes:read"))
def report(request: HttpRequest, name: str, step: str) -> dict[str, Any]:  # noqa: ARG001
    """The report of a step, as `--json` of its command gives it; only while it is of the change as it is."""
    found = evidence.report_of(drafts.read(name), step)  # type: ignore[arg-type]
    if found is None:
        message = f"there is no evidence of `{step}` for this change as it is now; have it gathered"
        raise UnknownChangeError(message)
    return found.model_dump(mode="json")


@router.post("/changes/{name}/approval", response=ChangeDetail, auth=needs("changes:approve"))
def approve(request: HttpRequest, name: str, body: Why) -> dict[str, Any]:
    """Approve a change that somebody else wrote, and whose evidence holds."""
    gate.approve(_caller(request), name, why=body.why)
    return _told(drafts.read(name))


@router.post("/changes/{name}/rollout", response=ChangeDetail, auth=needs("changes:read"))
def roll_out(request: HttpRequest, name: str, body: BeginIn) -> dict[str, Any]:
    """Begin the rollout, which needs `rollouts:write`, and `changes:break_glass` when the glass is broken."""
    if body.at is not None and body.break_glass is None:
        scheduled.schedule(_caller(request), name, body.at)
    else:
        gate.begin(_caller(request), name, break_glass=body.break_glass)
    return _told(drafts.read(name))


@router.delete("/changes/{name}/rollout", response=ChangeDetail, auth=needs("rollouts:write"))
def unschedule(request: HttpRequest, name: str) -> dict[str, Any]:
    """Do not begin by itself any more. What runs is ended at `/rollout/abort`."""
    scheduled.schedule(_caller(request), name, None)
    return _told(drafts.read(name))


@router.post("/changes/{name}/rebase", response=ChangeDetail, auth=needs("changes:write"))
def rebase(request: HttpRequest, name: str) -> dict[str, Any]:
    """Take what is served now as the base. The draft stays as it is, and its evidence is stale."""
    return _told(drafts.rebase(_caller(request), name))


@router.delete("/changes/{name}", response=ChangeOut, auth=needs("changes:write"))
def withdraw(request: HttpRequest, name: str, why: str = "") -> Proposal:
    """Give a change up. It stays to be looked at."""
    drafts.withdraw(_caller(request), name, why=why[:2_000])
    return drafts.read(name).proposal


def _caller(request: HttpRequest) -> Actor:
    actor: Actor = vars(request)["auth"]
    return actor


def _told(draft: Draft) -> dict[str, Any]:
    now, reports = gate.looked_at(draft)
    found = reports.get("replay")
    return {
        "change": draft.proposal,
        "file": draft.change.file.model_dump(mode="json"),
        "status": now.model_dump(mode="json"),
        "ready": now.ready,
        "lacks": now.lacks,
        "expected": in_words(now.expect),
        "impact": Impact(found).sentence if isinstance(found, Replay) else None,
        "job": evidence.job_of(draft.name),
    }


def _document(draft: Draft) -> dict[str, Any]:
    found = drafts.checked(draft)
    problems = [one.model_dump() for one in found.problems]
    return {"text": draft.text, "was": draft.seen, "problems": problems, "id": found.id}


ChangeDetail.model_rebuild()
