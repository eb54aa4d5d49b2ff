"""The admin API. Each route names the one permission that it needs."""

from __future__ import annotations

from datetime import date  # noqa: TC003 - ninja reads it
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import reverse
from ninja import NinjaAPI, Query
from ninja.errors import AuthenticationError, ValidationError

from lockgate.control import node
from lockgate.control.accounts import people, tokens
from lockgate.control.accounts.errors import AccountError, ForbiddenError, UnknownError
from lockgate.control.accounts.models import AccessToken, User
from lockgate.control.alerts.services import AlertError
from lockgate.control.analytics import tail
from lockgate.control.api import (
    alerts,
    analytics,
    applications,
    changes,
    channels,
    feeds,
    forms,
    installation,
    nodes,
    owners,
    portal,
    rollouts,
    routes,
)
from lockgate.control.api.credentials import ForgedError, NotPermittedError, caller, needs
from lockgate.control.audit import checkpoints
from lockgate.control.audit import services as audit
from lockgate.control.events import exceptions, index
from lockgate.control.events.recordings import FIRST, name_of
from lockgate.control.events.times import text_of
from lockgate.control.feedback import services as feedback
from lockgate.control.notify import errors as notify
from lockgate.control.paging import CursorError, read_cursor
from lockgate.control.problems import insufficient_scope, problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from lockgate.control.events.models import CallException

api = NinjaAPI(
    title="Lockgate admin API",
    version="1",
    description="All that the console does. Send a session cookie, or the token of a service account.",
    urls_namespace="admin-api",
    docs_url=None,
    openapi_url=None,
)

api.add_router("", alerts.router)
changes.install(api)
api.add_router("", rollouts.router)
api.add_router("", channels.router)
api.add_router("", feeds.router)
api.add_router("", owners.router)
api.add_router("", routes.router)
api.add_router("", portal.router)
api.add_router("", nodes.router)
api.add_router("", installation.router)
api.add_router("", applications.router)
api.add_router("/analytics", analytics.router)

Limit = Annotated[int, Query(ge=1, le=1_000)]


@api.exception_handler(AuthenticationError)
def _unauthenticated(_request: HttpRequest, _error: AuthenticationError) -> HttpResponse:
    return problem(401, "send `Authorization: Bearer` with a valid token of a service account, or sign in")


@api.exception_handler(NotPermittedError)
def _not_permitted(_request: HttpRequest, error: NotPermittedError) -> HttpResponse:
    return insufficient_scope(error.needed)


@api.exception_handler(ForgedError)
def _forged(_request: HttpRequest, _error: ForgedError) -> HttpResponse:
    return problem(403, "a session needs the token of one of our pages in `X-CSRFToken`, and their `Origin`")


@api.exception_handler(ForbiddenError)
def _forbidden(_request: HttpRequest, error: ForbiddenError) -> HttpResponse:
    return problem(403, str(error))


@api.exception_handler(UnknownError)
@api.exception_handler(notify.UnknownError)
@api.exception_handler(feedback.ThreadError)
def _unknown(_request: HttpRequest, error: Exception) -> HttpResponse:
    return problem(404, str(error))


@api.exception_handler(AccountError)
@api.exception_handler(notify.NotifyError)
@api.exception_handler(feedback.FeedbackError)
@api.exception_handler(AlertError)
@api.exception_handler(CursorError)
def _refused(_request: HttpRequest, error: Exception) -> HttpResponse:
    return problem(422, str(error))


@api.exception_handler(ValidationError)
def _invalid(_request: HttpRequest, error: ValidationError) -> HttpResponse:
    errors = [{"at": list(found["loc"]), "message": found["msg"]} for found in error.errors]
    return problem(422, "something of this request is not as the OpenAPI document says", errors=errors)


@api.get("/openapi.json", auth=needs(None), include_in_schema=False)
def openapi(request: HttpRequest) -> dict[str, Any]:  # noqa: ARG001
    """This API, as OpenAPI 3.1."""
    return api.get_openapi_schema()


@api.get("/me", response=forms.Me, auth=needs(None), tags=["accounts"])
def me(request: HttpRequest) -> dict[str, Any]:
    """Who calls, and what they may do."""
    by = caller(request)
    return {"who": by.who, "permissions": sorted(by.permissions)}


@api.get("/users", response=list[forms.UserOut], auth=needs("users:read"), tags=["accounts"])
def users(request: HttpRequest) -> list[User]:  # noqa: ARG001
    """Every account."""
    return list(User.objects.order_by("email"))


@api.post("/users", response={201: forms.Invited}, auth=needs("users:write"), tags=["accounts"])
def invite(request: HttpRequest, body: forms.Invitation) -> dict[str, Any]:
    """Invite a person. Hand the link over yourself: no e-mail is sent."""
    user, token = people.invite(caller(request), email=body.email, name=body.name, role=body.role)
    return {"user": user, "link": _link(request, token)}


@api.patch("/users/{user_id}", response=forms.UserOut, auth=needs("users:write"), tags=["accounts"])
def change_user(request: HttpRequest, user_id: int, body: forms.UserChange) -> User:
    """Change the role of an account, deactivate it or activate it again."""
    return people.change(caller(request), user_id, role=body.role, is_active=body.is_active, why=body.why)


@api.post(
    "/users/{user_id}/reset-link", response=forms.ResetLink, auth=needs("users:write"), tags=["accounts"]
)
def reset_link(request: HttpRequest, user_id: int, body: forms.Why) -> dict[str, str]:
    """Make a link by which the owner of an account chooses another password."""
    return {"link": _link(request, people.reset(caller(request), user_id, why=body.why))}


@api.get("/tokens", response=list[forms.TokenOut], auth=needs("tokens:read"), tags=["tokens"])
def access_tokens(request: HttpRequest) -> list[AccessToken]:  # noqa: ARG001
    """Every token of a service account, the newest first."""
    return list(AccessToken.objects.select_related("account").order_by("-created_at")[:1_000])


@api.post("/tokens", response={201: forms.Issued}, auth=needs("tokens:write"), tags=["tokens"])
def issue_token(request: HttpRequest, body: forms.TokenRequest) -> dict[str, Any]:
    """Issue a token, and make its service account when there is none of that name."""
    token, plain = tokens.issue(
        caller(request), account=body.account, purpose=body.purpose, scopes=body.scopes, days=body.days
    )
    return {"token": plain, "about": token}


@api.post("/tokens/{token_id}/revoke", response=forms.TokenOut, auth=needs("tokens:write"), tags=["tokens"])
def revoke_token(request: HttpRequest, token_id: int, body: forms.Why) -> AccessToken:
    """Revoke a token, at once."""
    return tokens.revoke(caller(request), token_id, why=body.why)


@api.get("/audit", response=forms.Entries, auth=needs("audit:read"), tags=["audit"])
def audit_entries(  # noqa: PLR0917 - each is a parameter of the address
    request: HttpRequest,  # noqa: ARG001
    action: str = "",
    who: str = "",
    about: str = "",
    since: date | None = None,
    until: date | None = None,
    before: int | None = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """Entries of the audit log, newest first. `action` may be how actions begin: `account.`.

    `about` is a part of what something was done to, such as `change tighten`; `since` and `until` are days,
    both included.
    """
    found = audit.page(
        action=action, who=who, about=about, since=since, until=until, before=before, most=limit
    )
    return {"entries": found.rows, "next": found.next}


@api.get("/audit/export", auth=needs("audit:read"), tags=["audit"])
def export_audit(request: HttpRequest) -> StreamingHttpResponse:
    """The whole log as `lockgate audit verify` reads it, one entry a line."""
    audit.note_export(caller(request))
    answer = StreamingHttpResponse(_in_pieces(audit.export()), content_type="application/x-ndjson")
    answer.headers["Content-Disposition"] = 'attachment; filename="audit.jsonl"'
    return answer


@api.get("/audit/verify", response=forms.Verified, auth=needs("audit:read"), tags=["audit"])
def verify_audit(request: HttpRequest) -> dict[str, Any]:  # noqa: ARG001
    """Verify every entry of the database; the first that does not hold is named."""
    found = audit.verify()
    fault = str(found.fault) if found.fault else None
    return {"entries": found.entries, "last": found.last, "fault": fault}


@api.get("/audit/checkpoint", response=forms.CheckpointOut, auth=needs("audit:read"), tags=["audit"])
def audit_checkpoint(request: HttpRequest) -> dict[str, Any]:  # noqa: ARG001
    """A signed checkpoint of the audit log, for `lockgate audit verify --checkpoint`; keep it elsewhere."""
    return {"checkpoint": checkpoints.checkpoint().model_dump(), "public_key": checkpoints.public_key()}


@api.get("/exceptions", response=forms.Exceptions, auth=needs("exceptions:read"), tags=["traffic"])
def call_exceptions(  # noqa: PLR0917 - each is a parameter of the address
    request: HttpRequest,  # noqa: ARG001
    alert: str = "",
    code: str = "",
    api: str = "",
    application: str = "",
    source: str = "",
    request_id: Annotated[str, Query(alias="request")] = "",
    node: str = "",
    cursor: str = "",
    limit: Limit = 100,
) -> dict[str, Any]:
    """Calls that were refused or failed, newest first. `request` is the id that a caller was told."""
    index.index_new()
    wanted = exceptions.Wanted(
        alert=alert,
        code=code,
        api=api,
        application=application,
        source=source,
        request=request_id,
        node=node,
    )
    before = read_cursor(cursor) if cursor else None
    found, following = exceptions.page(wanted, before, limit, tail.exceptions())
    first = name_of(FIRST)
    return {"exceptions": [_told(one, first) for one in found], "next": following}


@api.get("/node", response=forms.Node, auth=needs("traffic:read"), tags=["traffic"])
def node_stats(request: HttpRequest) -> dict[str, Any]:  # noqa: ARG001
    """Where the node listens, and what it counted since it started."""
    known = node.running()
    return {"listeners": known.listeners if known else {}, "stats": node.stats()}


@api.get("/revisions", response=forms.Revisions, auth=needs("traffic:read"), tags=["traffic"])
def revisions(request: HttpRequest) -> dict[str, Any]:  # noqa: ARG001
    """The revisions that the node kept, and how far each has come."""
    return {"generations": node.generations()}


@api.get("/rollout", response=forms.RolloutOut, auth=needs("traffic:read"), tags=["traffic"])
def rollout(request: HttpRequest) -> dict[str, Any]:  # noqa: ARG001
    """The rollout that runs, else the last one."""
    return {"rollout": node.rollout()}


async def _in_pieces(lines: Iterator[bytes], most: int = 1_000) -> AsyncIterator[bytes]:
    """The lines, a batch at a time: an export is never whole in memory."""
    take = sync_to_async(lambda: b"".join(islice(lines, most)))
    while piece := await take():
        yield piece


def _link(request: HttpRequest, token: str) -> str:
    return request.build_absolute_uri(reverse("link", args=[token]))


def _told(one: CallException, first: str) -> dict[str, Any]:
    fields = forms.ExceptionOut.model_fields
    said = {name: getattr(one, name) for name in fields}
    return said | {"at": text_of(one.at / 1_000_000), "node": one.node or first}
