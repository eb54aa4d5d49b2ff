"""The admin API of feeds."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - the schemas read it
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest  # noqa: TC002 - ninja reads it
from ninja import Router, Schema
from pydantic import Field

from lockgate.control.api.credentials import caller, needs
from lockgate.control.api.forms import Strict, Why
from lockgate.control.feeds import services
from lockgate.control.feeds.models import Feed

if TYPE_CHECKING:
    from lockgate.control.feeds.models import Fetch

router = Router(tags=["feeds"])


class FeedOut(Schema):
    """A feed, and how it stands."""

    name: str
    source: str
    public_key: str
    kind: str
    owner: str
    mode: str
    at_most: int
    at_least: int
    every_minutes: int
    is_automatic: bool
    is_on: bool
    set_by: str
    sequence: int
    expires_at: datetime | None
    fetched_at: datetime | None
    next_at: datetime
    is_failing: bool
    says: str
    change: str
    waits: str
    agreed: list[str]
    """Who agreed to it in advance."""


class FetchOut(Schema):
    """A look at a feed that brought something, or was refused."""

    at: datetime
    sequence: int | None
    is_refused: bool
    says: str
    change: str
    added: list[str]
    removed: list[str]


class FeedDetail(Schema):
    """A feed with what it brought, the newest first."""

    feed: FeedOut
    fetches: list[FetchOut]


class NewFeed(Strict):
    """A feed to set up."""

    name: str = Field(max_length=40)
    source: str = Field(max_length=500)
    kind: str
    public_key: str = Field(max_length=2_000)
    owner: str = Field(max_length=254)
    mode: str = "shadow"
    at_most: int = 0
    at_least: int = 1_000
    every_minutes: int = 60
    is_automatic: bool = False
    is_on: bool = True


class FeedChange(Strict):
    """What to change; what is left out stays."""

    source: str | None = Field(None, max_length=500)
    owner: str | None = Field(None, max_length=254)
    mode: str | None = None
    at_most: int | None = None
    at_least: int | None = None
    every_minutes: int | None = None
    is_automatic: bool | None = None
    is_on: bool | None = None
    why: str = Field("", max_length=2_000)


class Removed(Schema):
    """What is left of a feed that was removed."""

    left: str


@router.get("/feeds", response=list[FeedOut], auth=needs(services.READ))
def feeds(request: HttpRequest) -> list[dict[str, Any]]:  # noqa: ARG001
    """Every feed."""
    return [_out(one) for one in Feed.objects.order_by("name")]


@router.post("/feeds", response={201: FeedOut}, auth=needs(services.WRITE))
def make(request: HttpRequest, body: NewFeed) -> dict[str, Any]:
    """Set up a feed. It is fetched within seconds."""
    return _out(services.make(caller(request), **body.model_dump()))


@router.get("/feeds/{name}", response=FeedDetail, auth=needs(services.READ))
def feed(request: HttpRequest, name: str) -> dict[str, Any]:  # noqa: ARG001
    """A feed, and what it brought."""
    found = services.find(name)
    fetches: list[Fetch] = list(found.fetches.all())
    return {"feed": _out(found), "fetches": fetches}


@router.patch("/feeds/{name}", response=FeedOut, auth=needs(services.WRITE))
def change(request: HttpRequest, name: str, body: FeedChange) -> dict[str, Any]:
    """Change what is said about a feed. Whoever agreed in advance agrees anew."""
    said = {field: value for field, value in body.model_dump(exclude_unset=True).items() if value is not None}
    return _out(services.change(caller(request), name, **said))


@router.delete("/feeds/{name}", response=Removed, auth=needs(services.WRITE))
def remove(request: HttpRequest, name: str, why: str = "") -> dict[str, str]:
    """Remove a feed. Its policies stay until they expire, or until a change takes them out."""
    return {"left": services.remove(caller(request), name, why=why[:2_000])}


@router.post("/feeds/{name}/look", response=FeedOut, auth=needs(services.WRITE))
def look_now(request: HttpRequest, name: str, body: Why) -> dict[str, Any]:  # noqa: ARG001
    """Have a feed fetched within seconds."""
    return _out(services.look_now(caller(request), name))


@router.put("/feeds/{name}/agreement", response=FeedOut, auth=needs(services.APPROVE))
def agree(request: HttpRequest, name: str) -> dict[str, Any]:
    """Approve in advance what a feed brings within its bounds; people do, and not who set it up."""
    return _out(services.agree(caller(request), name))


@router.delete("/feeds/{name}/agreement", response=FeedOut, auth=needs(services.APPROVE))
def disagree(request: HttpRequest, name: str) -> dict[str, Any]:
    """Take back that one agreed."""
    return _out(services.disagree(caller(request), name))


def _out(feed: Feed) -> dict[str, Any]:
    said = {name: getattr(feed, name) for name in FeedOut.model_fields if name != "agreed"}
    return said | {"agreed": [one.email for one in services.agreed(feed)]}
