"""What every page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockgate.control.accounts.models import User

if TYPE_CHECKING:
    from django.http import HttpRequest

_GROUPS: Final = (
    (
        "Traffic",
        (
            ("overview", "Overview", "traffic:read"),
            ("exceptions", "Exceptions", "exceptions:read"),
            ("analytics", "Analytics", "traffic:read"),
            ("alerts", "Alerts", "alerts:read"),
            ("recordings", "Recordings", "traffic:read"),
        ),
    ),
    (
        "Change",
        (
            ("served_apis", "APIs", "changes:read"),
            ("policies", "Policies", "changes:read"),
            ("changes", "Changes", "changes:read"),
            ("rollout", "Rollout", "traffic:read"),
            ("revisions", "Revisions", "traffic:read"),
            ("feeds", "Feeds", "feeds:read"),
        ),
    ),
    (
        "Access",
        (
            ("applications", "Applications", "applications:read"),
            ("plans", "Plans", "plans:write"),
            ("api_owners", "API owners", "owners:read"),
            ("requests", "Requests", "subscriptions:approve"),
            ("feedback_inbox", "Feedback", "feedback:answer"),
        ),
    ),
    (
        "Run",
        (
            ("nodes", "Nodes", "nodes:read"),
            ("audit", "Audit", "audit:read"),
            ("channels", "Channels", "channels:read"),
            ("users", "Users", "users:read"),
            ("tokens", "Tokens", "tokens:read"),
            ("settings", "Settings", "settings:read"),
        ),
    ),
)


def navigation(request: HttpRequest) -> dict[str, object]:
    """The pages that the person may see, by what they are for, and which of them this is."""
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return {}
    match = request.resolver_match
    here = (match.url_name if match else None) or ""
    groups = []
    for title, pages in _GROUPS:
        shown = [
            {"name": name, "title": page, "is_here": _is_of(name, here)}
            for name, page, needed in pages
            if needed in user.permissions
        ]
        if shown:
            groups.append({"title": title, "pages": shown})
    return {"navigation": groups, "may": user.permissions}


def _is_of(name: str, here: str) -> bool:
    """Whether a page belongs to another: `change` and `change_document` belong to `changes`."""
    one = name.removesuffix("s")
    return here in {name, one} or here.startswith(f"{one}_")
