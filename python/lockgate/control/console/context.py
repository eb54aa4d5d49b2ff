"""What every page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockgate.control.accounts.models import User

if TYPE_CHECKING:
    from django.http import HttpRequest

_PAGES: Final = (
    ("overview", "Overview", "traffic:read"),
    ("alerts", "Alerts", "alerts:read"),
    ("exceptions", "Exceptions", "exceptions:read"),
    ("analytics", "Analytics", "traffic:read"),
    ("audit", "Audit", "audit:read"),
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
        {"name": name, "title": title, "is_here": here in {name, f"{name}_page"}}
        for name, title, needed in _PAGES
        if needed in user.permissions
    ]
    return {"navigation": pages, "may": user.permissions}
