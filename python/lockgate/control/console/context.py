"""What every page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockgate.control.accounts.models import User

if TYPE_CHECKING:
    from django.http import HttpRequest

_PAGES: Final = (
    ("overview", "Overview", "traffic:read"),
    ("alerts", "Alerts", "alerts:read"),
    ("changes", "Changes", "changes:read"),
    ("rollout", "Rollout", "traffic:read"),
    ("revisions", "Revisions", "traffic:read"),
    ("exceptions", "Exceptions", "exceptions:read"),
    ("feedback_inbox", "Feedback", "feedback:answer"),
    ("applications", "Applications", "applications:read"),
    ("plans", "Plans", "plans:write"),
    ("requests", "Requests", "subscriptions:approve"),
    ("analytics", "Analytics", "traffic:read"),
    ("audit", "Audit", "audit:read"),
    ("channels", "Channels", "channels:read"),
    ("users", "Users", "users:read"),
    ("tokens", "Tokens", "tokens:read"),
)


def navigation(request: HttpRequest) -> dict[str, object]:
    """The pages that the person may see, and which of them this is."""
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return {}
    match = request.resolver_match
    here = match.url_name if match else None
    pages = [
        {"name": name, "title": title, "is_here": _is_of(name, here or "")}
        for name, title, needed in _PAGES
        if needed in user.permissions
    ]
    return {"navigation": pages, "may": user.permissions}


def _is_of(name: str, here: str) -> bool:
    """Whether a page belongs to another: `change` and `change_document` belong to `changes`."""
    one = name.removesuffix("s")
    return here in {name, one} or here.startswith(f"{one}_")
