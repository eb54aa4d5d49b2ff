"""`{% alerts_of_my_applications %}`: for pages of the portal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import template

from lockgate.control.access.services import applications_of
from lockgate.control.accounts.models import User
from lockgate.control.accounts.people import actor_of
from lockgate.control.alerts.rules import BY_NAME
from lockgate.control.alerts.services import alerts_of
from lockgate.control.events.times import moment

if TYPE_CHECKING:
    from django.template import RequestContext

register = template.Library()


@register.inclusion_tag("alerts/mine.html", takes_context=True)
def alerts_of_my_applications(context: RequestContext) -> dict[str, Any]:
    """What is wrong with calls of the applications of whoever looks; nothing when nothing is.

    It tells of the own applications alone: not from where others called, and not what is done about it.
    """
    request = context.get("request")
    if request is None or not isinstance(request.user, User):
        return {"alerts": []}
    mine = {one.name for one in applications_of(actor_of(request))}
    rows = []
    for alert in alerts_of(mine):
        own = [one for one in alert.applications.all() if one.application in mine]
        rows.append(
            {
                "title": alert.title,
                "count": sum(one.count for one in own) or alert.count,
                "names": ", ".join(sorted(one.application for one in own)),
                "last": moment(alert.last_at / 1e6),
                "what": BY_NAME[alert.rule].what if alert.rule in BY_NAME else "",
            }
        )
    return {"alerts": rows}
