"""Commanding rollouts, and going back to older revisions, in the admin API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from django.http import HttpRequest  # noqa: TC002 - ninja reads the annotations
from ninja import Router, Schema
from pydantic import Field

from lockgate.control.api.credentials import needs
from lockgate.control.api.forms import Strict, Why
from lockgate.control.changes import rollouts

if TYPE_CHECKING:
    from lockgate.control.audit.services import Actor

router = Router(tags=["changes"])


class After(Schema):
    """The rollout after a command."""

    rollout: dict[str, Any]


class Back(Strict):
    """Where to go back to, and why."""

    to: str = Field("last-good", max_length=32)
    """`last-good`, `previous` or the number of a generation."""
    why: str = Field(max_length=2_000)


class WentBack(Schema):
    """What serves now; from the next start of the node on when it does not run."""

    generation: int
    id: str
    running: bool


@router.post("/rollout/{command}", response=After, auth=needs("rollouts:write"))
def command(
    request: HttpRequest, command: Literal["promote", "pause", "resume", "abort"], body: Why
) -> dict[str, Any]:
    """Promote, pause, resume or abort the rollout that runs. What the guard holds against it stays."""
    after = rollouts.command(_caller(request), command, why=body.why)
    return {"rollout": after.model_dump(mode="json", by_alias=True)}


@router.post("/revisions/rollback", response=WentBack, auth=needs("rollouts:write"))
def roll_back(request: HttpRequest, body: Back) -> dict[str, Any]:
    """Serve an older generation again, at once; a rollout that runs ends."""
    return rollouts.roll_back(_caller(request), to=body.to, why=body.why).model_dump()


def _caller(request: HttpRequest) -> Actor:
    actor: Actor = vars(request)["auth"]
    return actor
