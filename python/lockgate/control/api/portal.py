"""The admin API of the portal: the catalogue, the status of APIs, feedback and its answers."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - the schemas read it
from typing import TYPE_CHECKING, Annotated, Any

from django.http import HttpRequest  # noqa: TC002 - ninja reads it
from ninja import Query, Router, Schema
from pydantic import Field

from lockgate.control.api.credentials import caller, needs
from lockgate.control.api.forms import Strict
from lockgate.control.feedback import services as feedback
from lockgate.control.portal.served import read_catalogue
from lockgate.control.portal.status import statuses

if TYPE_CHECKING:
    from lockgate.control.feedback.models import Post, Thread

router = Router(tags=["portal"])


class VersionOut(Schema):
    """A version of an API."""

    name: str
    base: str
    operations: int | None
    """Of its OpenAPI document; nothing when it has none."""
    deprecated_since: datetime | None
    sunset: datetime | None
    successor: str | None


class ApiOut(Schema):
    """An API, its versions newest first."""

    name: str
    title: str
    guides: list[str]
    versions: list[VersionOut]


class StatusOut(Schema):
    """How an API is: `good`, `some`, `bad` or `unknown`; the share of good calls of a day, in percent."""

    api: str
    state: str
    calls: int
    available: float | None


class PostOut(Schema):
    """A text of a thread."""

    author: str | None
    text: str
    is_answer: bool
    state: str
    at: datetime


class ThreadOut(Schema):
    """A thread."""

    id: int
    kind: str
    state: str
    title: str
    api: str
    page: str
    application: str
    code: str
    author: str | None
    created_at: datetime
    changed_at: datetime


class WholeThread(ThreadOut):
    """A thread with its texts, and the calls that it is about."""

    facts: dict[str, Any]
    posts: list[PostOut]


class ThreadAnswer(Strict):
    """An answer, and how the thread stands with it: `answered`, `planned`, `solved` or `declined`."""

    text: str = Field(max_length=feedback.MOST_CHARACTERS)
    state: str = Field("", max_length=16)


@router.get("/catalogue", response=list[ApiOut], auth=needs("catalogue:read"))
def catalogue(request: HttpRequest) -> list[dict[str, Any]]:  # noqa: ARG001
    """Every API that the gateway serves."""
    return [
        {
            "name": api.name,
            "title": api.title,
            "guides": [guide.name for guide in api.guides],
            "versions": [
                {
                    "name": version.name,
                    "base": version.base,
                    "operations": len(version.reference.operations) if version.reference else None,
                    "deprecated_since": version.deprecation.since if version.deprecation else None,
                    "sunset": version.deprecation.sunset if version.deprecation else None,
                    "successor": (version.deprecation.successor or None) if version.deprecation else None,
                }
                for version in api.versions
            ],
        }
        for api in read_catalogue().apis
    ]


@router.get("/status", response=list[StatusOut], auth=needs("catalogue:read"))
def status(request: HttpRequest) -> list[dict[str, Any]]:  # noqa: ARG001
    """How each API is."""
    return [
        {"api": one.api.name, "state": one.state, "calls": one.calls, "available": one.available}
        for one in statuses(read_catalogue())
    ]


@router.get("/feedback", response=list[ThreadOut], auth=needs(feedback.ANSWER))
def threads(
    request: HttpRequest,
    state: str = "",
    kind: str = "",
    api: str = "",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> list[dict[str, Any]]:
    """What callers reported, suggested and dispute, what changed last first."""
    wanted = {name: value for name, value in (("state", state), ("kind", kind), ("api", api)) if value}
    return [_thread(one) for one in feedback.threads_for(caller(request)).filter(**wanted)[:limit]]


@router.get("/feedback/{thread_id}", response=WholeThread, auth=needs(feedback.ANSWER))
def thread(request: HttpRequest, thread_id: int) -> dict[str, Any]:
    """One thread with its texts."""
    return _whole(feedback.find(caller(request), thread_id))


@router.post("/feedback/{thread_id}/answers", response={201: WholeThread}, auth=needs(feedback.ANSWER))
def answer(request: HttpRequest, thread_id: int, body: ThreadAnswer) -> dict[str, Any]:
    """Answer, as a person who is signed in. Everybody who follows the thread is told."""
    by = caller(request)
    feedback.reply(by, thread_id, body.text, state=body.state)
    return _whole(feedback.find(by, thread_id))


def _thread(one: Thread) -> dict[str, Any]:
    names = set(ThreadOut.model_fields) - {"author"}
    return {name: getattr(one, name) for name in names} | {"author": one.author.email if one.author else None}


def _whole(one: Thread) -> dict[str, Any]:
    posts = [_post(post) for post in one.posts.select_related("author")]
    return {**_thread(one), "facts": one.facts, "posts": posts}


def _post(one: Post) -> dict[str, Any]:
    fields = {name: getattr(one, name) for name in ("text", "is_answer", "state", "at")}
    return fields | {"author": one.author.email if one.author else None}
