"""The nodes of the cluster in the admin API."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime  # noqa: TC003 - the schemas read it
from typing import Any

from django.http import HttpRequest  # noqa: TC002 - ninja reads it
from ninja import Router, Schema
from pydantic import Field

from lockgate.control.api.credentials import caller, needs
from lockgate.control.api.forms import Strict
from lockgate.control.nodes import services, shown
from lockgate.control.nodes.load import LOAD
from lockgate.control.nodes.models import Publication
from lockgate.control.nodes.recorded import of_nodes

router = Router(tags=["nodes"])


class RefusedOut(Schema):
    """What a node was given and does not take."""

    what: str
    number: int
    reason: str
    message: str


class RecordedOut(Schema):
    """Calls of a node in the last 24 hours, until when they are here, and why not all of them are."""

    calls: int
    refused: int
    failed: int
    last: datetime | None
    behind: str


class NodeOut(Schema):
    """A node. `wanted` is the number of the revision that it is to serve; the first node has none."""

    name: str
    is_first: bool
    health: str
    revision: str
    generation: int | None
    wanted: int | None
    directory: int
    refused: RefusedOut | None
    seen_at: datetime | None
    address: str
    version: str
    enrolled_at: datetime
    enrolled_by: str
    recorded: RecordedOut | None


class PublicationOut(Schema):
    """Something that nodes take one after the other. `content` is the id of a revision."""

    kind: str
    number: int
    content: str
    state: str
    why: str
    made_at: datetime
    ended_at: datetime | None
    given: int
    took: int


class LoadOut(Schema):
    """Requests of nodes, since this control plane started."""

    at_once: int
    peak: int
    most: int
    waiting: int
    enrolling: int
    uploads: int
    answered: int
    turned_away: int


class NodesOut(Schema):
    """Every node, what was published last, and how busy nodes keep the control plane."""

    nodes: list[NodeOut]
    publications: list[PublicationOut]
    load: LoadOut


class NewNode(Strict):
    """What the new node is called."""

    name: str = Field(max_length=63)


class NodeToken(Schema):
    """The token, which is shown now and never again, and when it expires."""

    token: str
    expires_in: int


class Reason(Strict):
    """Why, for those who look later."""

    why: str = Field(min_length=1, max_length=2_000)


@router.get("/nodes", response=NodesOut, auth=needs(services.READ))
def nodes(request: HttpRequest) -> dict[str, Any]:  # noqa: ARG001
    """Every node, and what each is to serve."""
    found = shown.shown()
    recorded = of_nodes(one.node for one in found)
    return {
        "nodes": [_node(replace(one, recorded=recorded.get(one.node.name))) for one in found],
        "publications": [_publication(one) for one in shown.publications()],
        "load": LOAD.to_json(),
    }


@router.post("/nodes", response={201: NodeToken}, auth=needs(services.WRITE))
def invite(request: HttpRequest, body: NewNode) -> dict[str, Any]:
    """Make a token that enrols one node, once, within an hour."""
    token = services.invite(caller(request), body.name)
    return {"token": token, "expires_in": int(services.LASTS.total_seconds())}


@router.post("/nodes/{name}/remove", response={204: None}, auth=needs(services.WRITE))
def remove(request: HttpRequest, name: str, body: Reason) -> None:
    """Answer a node no more; it serves on with what it has."""
    services.remove(caller(request), name, body.why)


@router.post("/nodes/revisions/{number}/again", response={201: PublicationOut}, auth=needs(services.WRITE))
def publish_again(request: HttpRequest, number: int, body: Reason) -> dict[str, Any]:
    """Publish again what was stopped or withdrawn, one node after the other."""
    made = services.publish_again(caller(request), number, body.why)
    return _publication(shown.Published(made, [], can_be_again=False))


@router.post("/nodes/directories/{number}/again", response={201: PublicationOut}, auth=needs(services.WRITE))
def publish_directory_again(request: HttpRequest, number: int, body: Reason) -> dict[str, Any]:
    """Publish a directory again that was stopped or withdrawn: what applications lose by it is meant."""
    made = services.publish_again(caller(request), number, body.why, Publication.Kind.DIRECTORY)
    return _publication(shown.Published(made, [], can_be_again=False))


def _node(one: shown.Shown) -> dict[str, Any]:
    names = ("name", "is_first", "revision", "generation", "directory", "seen_at", "address", "version")
    more = ("enrolled_at", "enrolled_by")
    said = {name: getattr(one.node, name) for name in (*names, *more)}
    fields = RecordedOut.model_fields
    recorded = {name: getattr(one.recorded, name) for name in fields} if one.recorded else None
    return said | {
        "health": one.health,
        "wanted": one.wanted,
        "refused": one.refused,
        "recorded": recorded,
    }


def _publication(one: shown.Published) -> dict[str, Any]:
    names = ("kind", "number", "content", "state", "why", "made_at", "ended_at")
    said = {name: getattr(one.publication, name) for name in names}
    return said | {"given": len(one.turns), "took": one.took}
