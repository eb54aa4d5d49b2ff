"""Alerts and blocks in the admin API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse  # noqa: TC002 - Ninja reads the types of its routes
from ninja import Query, Router, Schema, Status
from pydantic import Field

from lockgate.control.alerts import actions, services
from lockgate.control.alerts.listing import Wanted, page
from lockgate.control.alerts.models import Alert
from lockgate.control.alerts.preview import Target
from lockgate.control.alerts.preview import preview as look
from lockgate.control.alerts.settings import choose, chosen
from lockgate.control.api import forms  # noqa: TC001 - Ninja reads the types of its routes
from lockgate.control.api.credentials import needs
from lockgate.control.events.times import text_of
from lockgate.control.paging import read_cursor
from lockgate.control.problems import problem

if TYPE_CHECKING:
    from lockgate.control.alerts.settings import Chosen
    from lockgate.control.audit.services import Actor

router = Router(tags=["alerts"])
Limit = Annotated[int, Query(ge=1, le=1_000)]


class AlertOut(Schema):
    """An alert. `evidence` and `baseline` are as its rule gives them."""

    id: int
    rule: str
    title: str
    severity: str
    subject: str
    status: str
    count: int
    repeats: int
    first_at: str
    last_at: str
    raised_at: str
    status_by: str
    status_why: str
    applications: list[str]
    evidence: dict[str, Any]
    baseline: dict[str, Any]


class AlertsOut(Schema):
    """A page of alerts, and the cursor of the next one."""

    alerts: list[AlertOut]
    next: str | None


class BlockIn(Schema):
    """What to block, for how long, and why. With `per_minute`, so many calls a minute are let through."""

    what: str = Field(min_length=1, max_length=128)
    seconds: int = Field(default=3_600, ge=1, le=actions.MOST_SECONDS)
    why: str = Field(min_length=1, max_length=500)
    per_minute: int | None = Field(default=None, ge=1, le=1_000_000)
    alert: int | None = None


class BlockOut(Schema):
    """Something that is blocked now."""

    what: str
    sort: Literal["source", "application", "credential"]
    since: str
    until: str
    per_minute: int | None
    who: str
    why: str
    refused: int
    alert: int | None


class PreviewOut(Schema):
    """What a block would have refused in the last day."""

    is_known: bool
    is_whole: bool
    since: str
    answered: int
    refused: int
    applications: dict[str, int]
    apis: dict[str, int]
    in_words: str


class RuleOut(Schema):
    """A rule, and when it fires."""

    name: str
    title: str
    what: str
    severity: str
    is_on: bool
    threshold: int
    unit: str
    window_seconds: int
    quiet_seconds: int


class RuleIn(Schema):
    """What shall hold for a rule. One without a threshold has no window either."""

    is_on: bool = True
    threshold: int = 0
    window_seconds: int = 0
    quiet_seconds: int


@router.get("/alerts", response=AlertsOut, auth=needs("alerts:read"))
def alerts(  # noqa: PLR0917 - each is a parameter of the address
    request: HttpRequest,  # noqa: ARG001
    status: str = "",
    rule: str = "",
    severity: str = "",
    application: str = "",
    subject: str = "",
    cursor: str = "",
    limit: Limit = 100,
) -> dict[str, Any]:
    """Alerts, those with the newest events first; without a status, those that are not resolved."""
    wanted = Wanted(status, rule, severity, application, subject)
    found, following = page(wanted, read_cursor(cursor) if cursor else None, limit)
    return {"alerts": [_told(one) for one in found], "next": following}


@router.get("/alerts/{pk}", response=AlertOut, auth=needs("alerts:read"))
def alert(request: HttpRequest, pk: int) -> dict[str, Any] | HttpResponse:  # noqa: ARG001
    """One alert."""
    found = Alert.objects.filter(pk=pk).first()
    return _told(found) if found else problem(404, f"there is no alert {pk}")


@router.post("/alerts/{pk}/acknowledge", response=AlertOut, auth=needs("alerts:write"))
def acknowledge(request: HttpRequest, pk: int, said: forms.Why) -> dict[str, Any]:
    """Say that somebody looks after an alert."""
    return _told(services.acknowledge(_caller(request), pk, said.why))


@router.post("/alerts/{pk}/resolve", response=AlertOut, auth=needs("alerts:write"))
def resolve(request: HttpRequest, pk: int, said: forms.Why) -> dict[str, Any]:
    """Say that an alert is over."""
    return _told(services.resolve(_caller(request), pk, said.why))


@router.get("/alert-rules", response=list[RuleOut], auth=needs("alerts:read"))
def rules(request: HttpRequest) -> list[dict[str, Any]]:  # noqa: ARG001
    """The rules, and when each fires."""
    return [_rule(one) for one in chosen().values()]


@router.put("/alert-rules/{name}", response=RuleOut, auth=needs("alerts:write"))
def change_rule(request: HttpRequest, name: str, said: RuleIn) -> dict[str, Any]:
    """Change when a rule fires."""
    choose(
        _caller(request),
        name,
        is_on=said.is_on,
        threshold=said.threshold,
        window_seconds=said.window_seconds,
        quiet_seconds=said.quiet_seconds,
    )
    return _rule(chosen()[name])


@router.get("/blocks", response=list[BlockOut], auth=needs("alerts:read"))
def blocks(request: HttpRequest) -> list[dict[str, Any]]:  # noqa: ARG001
    """What is blocked now, newest first."""
    return [_block(one) for one in actions.live()]


@router.post("/blocks", response={201: BlockOut}, auth=needs("blocks:write"))
def block(request: HttpRequest, said: BlockIn) -> Status[dict[str, Any]] | HttpResponse:
    """Block something for a time; it ends by itself."""
    done = actions.block(
        _caller(request),
        said.what,
        seconds=said.seconds,
        why=said.why,
        per_minute=said.per_minute,
        alert=said.alert,
    )
    found = actions.of_target(Target(done.sort, done.target), actions.live())
    return Status(201, _block(found)) if found else problem(422, "it has ended already")


@router.delete("/blocks", response={204: None}, auth=needs("blocks:write"))
def unblock(request: HttpRequest, what: str, why: str = "") -> Status[None]:
    """Free something before its time."""
    actions.unblock(_caller(request), what, why)
    return Status(204, None)


@router.get("/blocks/preview", response=PreviewOut, auth=needs("alerts:read"))
def preview(request: HttpRequest, what: str) -> dict[str, Any]:  # noqa: ARG001
    """What a block of something would have refused in the last day."""
    said = look(Target.read(what)).to_json()
    return said | {"since": text_of(said["since"] / 1_000_000)}


def _caller(request: HttpRequest) -> Actor:
    actor: Actor = vars(request)["auth"]
    return actor


def _told(one: Alert) -> dict[str, Any]:
    names = ("rule", "title", "severity", "subject", "status", "count", "repeats")
    more = ("status_by", "status_why", "evidence", "baseline")
    return {name: getattr(one, name) for name in (*names, *more)} | {
        "id": one.pk,
        "applications": sorted(row.application for row in one.applications.all()),
        **{name: text_of(getattr(one, name) / 1_000_000) for name in ("first_at", "last_at", "raised_at")},
    }


def _block(one: actions.Shown) -> dict[str, Any]:
    blocked = one.blocked
    names = ("what", "sort", "since", "until", "per_minute", "who", "why")
    said = {name: getattr(blocked, name) for name in names}
    return said | {"refused": one.refused, "alert": one.row.alert_id if one.row else None}


def _rule(one: Chosen) -> dict[str, Any]:
    said = {name: getattr(one.rule, name) for name in ("name", "title", "what", "severity", "unit")}
    names = ("is_on", "threshold", "window_seconds", "quiet_seconds")
    return said | {name: getattr(one, name) for name in names}
