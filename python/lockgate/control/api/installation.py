"""The admin API of how the control plane is set up, and of what was recorded."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - the schemas read it
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest  # noqa: TC002 - ninja reads it
from ninja import Router, Schema

from lockgate.control.api.credentials import needs
from lockgate.control.console import installation, recorded

if TYPE_CHECKING:
    from lockgate.control.console.installation import Group

router = Router(tags=["installation"])


class SettingOut(Schema):
    """A setting, as a sentence says it."""

    what: str
    value: str
    changed_by: str
    """An option of `lockgate serve`, or a variable; names stand in backticks."""


class SettingsOut(Schema):
    """The settings of one matter."""

    title: str
    settings: list[SettingOut]


class NodeRecording(Schema):
    """The recording of a node."""

    node: str
    calls: int
    since: datetime | None
    until: datetime | None
    segments: int
    """Which were read."""
    damaged: int
    """In how many of them something is missing."""
    files: int
    """How many of them a replay can still read."""
    megabytes: float


class RecordingsOut(Schema):
    """What was recorded, and what is missing of the last seven days."""

    recordings: list[NodeRecording]
    missing: list[dict[str, str]]


@router.get("/settings", response=list[SettingsOut], auth=needs(installation.READ))
def settings(request: HttpRequest) -> list[Group]:  # noqa: ARG001
    """How the control plane was started, without its secrets."""
    return installation.installation()


@router.get("/recordings", response=RecordingsOut, auth=needs("traffic:read"))
def recordings(request: HttpRequest) -> dict[str, Any]:  # noqa: ARG001
    """What nodes recorded, and what is missing of it."""
    missing = recorded.missing()
    return {"recordings": recorded.by_node(), "missing": missing}
