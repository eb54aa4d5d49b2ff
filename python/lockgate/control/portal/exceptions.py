"""The reader's exceptions: refused and failed calls of their applications, and what to do about each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from lockgate.control.accounts.people import actor_of
from lockgate.control.events import index
from lockgate.control.events.lateness import worth_saying
from lockgate.control.events.times import moment
from lockgate.control.feedback import services as feedback
from lockgate.control.feedback.models import Thread
from lockgate.control.portal import refusals
from lockgate.control.portal.mine import my_applications
from lockgate.control.portal.served import read_catalogue

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

A_PAGE: Final = 20


def exceptions(request: HttpRequest) -> HttpResponse:
    """All groups, what happened last first."""
    mine = my_applications(request)
    days = request.GET.get("days", "7")
    days = days if days in refusals.SPANS else "7"
    chosen = request.GET.get("application", "")
    names = [one.name for one in mine if not chosen or one.name == chosen]
    index.index_new()
    found = refusals.groups(names, int(days))
    page = Paginator(found, A_PAGE).get_page(request.GET.get("page"))
    known = {api.name for api in read_catalogue().apis}
    disputed = {
        (thread.application, thread.code, thread.api): thread
        for thread in feedback.threads_for(actor_of(request)).filter(
            kind=Thread.Kind.DISPUTE, application__in=names
        )[:500]
    }
    rows = [
        {
            "group": group,
            "is_known": group.api in known,
            "thread": disputed.get((group.application, group.code, group.api)),
        }
        for group in page
    ]
    context = {
        "rows": rows,
        "page": page,
        "query": urlencode({"application": chosen, "days": days}),
        "kinds": len(found),
        "is_cut": len(found) == refusals.MOST_GROUPS,
        "applications": mine,
        "chosen": chosen,
        "days": days,
        "spans": refusals.SPANS,
        "records": index.folder() is not None,
        "behind_since": min((moment(one.since / 1_000_000) for one in worth_saying()), default=None),
        "total": sum(group.count for group in found),
    }
    return render(request, "portal/exceptions.html", context)


@require_POST
def dispute(request: HttpRequest) -> HttpResponse:
    """Begin a thread about a group, with its samples."""
    by = actor_of(request)
    wanted = dict(parse_qsl(request.POST.get("group", ""), keep_blank_values=True))
    names = [one.name for one in my_applications(request) if one.name == wanted.get("application")]
    only = {name: wanted.get(name, "") for name in ("application", "code", "api", "route")}
    found = refusals.groups(names, 30, only)
    if not found:
        messages.error(request, "These calls are not known any more, or they are not yours.")
        return redirect("portal_exceptions")
    group = found[0]
    title = (
        f"{group.reason.title}: {group.count} call{'s' if group.count != 1 else ''} of {group.application}"
    )
    text = f"We think that these calls should not be refused for `{group.code}`."
    try:
        thread = feedback.write(
            by,
            kind=Thread.Kind.DISPUTE,
            title=title[:160],
            text=text,
            api=group.api,
            page="/portal/exceptions/",
            application=group.application,
            code=group.code,
            facts={"count": group.count, "days": 30, "samples": group.shown},
        )
    except feedback.FeedbackError as error:
        messages.error(request, str(error))
        return redirect("portal_exceptions")
    messages.success(
        request, "Those who answer for it see these calls now. Say why they are right, if it is not plain."
    )
    return redirect("feedback_thread", thread.pk)
