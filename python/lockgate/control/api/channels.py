"""The admin API of notifications: one's own, and channels with their deliveries."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - the schemas read it
from typing import Annotated, Any

from django.http import HttpRequest  # noqa: TC002 - ninja reads it
from ninja import Query, Router, Schema
from pydantic import Field

from lockgate.control.api.credentials import caller, needs
from lockgate.control.api.forms import Strict
from lockgate.control.notify import channels as service
from lockgate.control.notify.models import Channel, Delivery
from lockgate.control.paging import page_of

router = Router(tags=["channels"])


class ChannelOut(Schema):
    """A channel of those who run the gateway; of its address only the host is told."""

    id: int
    name: str
    kind: str
    url: str
    topics: list[str]
    created_at: datetime
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_why: str


class NewChannel(Strict):
    """A channel to make. `routing_key` is PagerDuty's, whose `url` may be left out."""

    kind: str
    name: str = Field(max_length=80)
    topics: list[str] = Field(max_length=20)
    url: str = Field("", max_length=500)
    routing_key: str = Field("", max_length=64)


class Made(Schema):
    """The new channel. The secret that signs a webhook's deliveries is shown now and never again."""

    channel: ChannelOut
    secret: str


class ChannelChange(Strict):
    """What to change; what is left out stays. `enabled` ends that a channel is disabled."""

    topics: list[str] | None = Field(None, max_length=20)
    enabled: bool | None = None


class Secret(Schema):
    """The new secret. The one before signs as well for 24 hours."""

    secret: str


class ChannelDelivery(Schema):
    """A message on its way to a channel, or what became of it."""

    id: int
    kind: str
    title: str
    state: str
    attempts: int
    result: str
    created_at: datetime
    ended_at: datetime | None

    @staticmethod
    def resolve_kind(delivery: Any) -> str:  # noqa: ANN401 - the row, or this
        """What happened."""
        return str(delivery.message.kind)

    @staticmethod
    def resolve_title(delivery: Any) -> str:  # noqa: ANN401 - the row, or this
        """In one line."""
        return str(delivery.message.title)


class Deliveries(Schema):
    """A page of deliveries, newest first; `next` asks for the page after it."""

    deliveries: list[ChannelDelivery]
    next: int | None


@router.get("/channels", response=list[ChannelOut], auth=needs("channels:read"))
def channels(request: HttpRequest) -> list[Channel]:  # noqa: ARG001
    """Every channel of those who run the gateway."""
    return list(Channel.objects.filter(owner=None).order_by("name"))


@router.post("/channels", response={201: Made}, auth=needs("channels:write"))
def make_channel(request: HttpRequest, body: NewChannel) -> dict[str, Any]:
    """Make a channel."""
    channel, secret = service.make(caller(request), None, **body.model_dump())
    return {"channel": channel, "secret": secret}


@router.patch("/channels/{channel_id}", response=ChannelOut, auth=needs("channels:write"))
def change_channel(request: HttpRequest, channel_id: int, body: ChannelChange) -> Channel:
    """Have a channel take other topics, or take deliveries again."""
    found = service.of(None, channel_id)
    if body.topics is not None:
        service.choose_topics(caller(request), found, body.topics)
    if body.enabled:
        service.enable(caller(request), found)
    return service.of(None, channel_id)


@router.delete("/channels/{channel_id}", response={204: None}, auth=needs("channels:write"))
def remove_channel(request: HttpRequest, channel_id: int) -> None:
    """Remove a channel, with its deliveries."""
    service.remove(caller(request), service.of(None, channel_id))


@router.post("/channels/{channel_id}/test", response={202: ChannelDelivery}, auth=needs("channels:write"))
def try_channel(request: HttpRequest, channel_id: int) -> Delivery:
    """Send a channel a test. Its delivery tells within seconds how that went."""
    return service.try_out(caller(request), service.of(None, channel_id))


@router.post("/channels/{channel_id}/secret", response=Secret, auth=needs("channels:write"))
def rotate_secret(request: HttpRequest, channel_id: int) -> dict[str, str]:
    """Draw a webhook another secret."""
    return {"secret": service.rotate(caller(request), service.of(None, channel_id))}


@router.get("/channels/{channel_id}/deliveries", response=Deliveries, auth=needs("channels:read"))
def channel_deliveries(
    request: HttpRequest,  # noqa: ARG001
    channel_id: int,
    before: int | None = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> dict[str, Any]:
    """Deliveries to a channel, newest first."""
    found = service.of(None, channel_id).deliveries.select_related("message").order_by("-pk")
    if before is not None:
        found = found.filter(pk__lt=before)
    rows, following = page_of(list(found[: limit + 1]), limit, lambda delivery: delivery.pk)
    return {"deliveries": rows, "next": following}
