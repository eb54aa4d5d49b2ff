"""The console's page of nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import messages
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from lockgate.control.accounts.errors import AccountError
from lockgate.control.accounts.people import actor_of
from lockgate.control.console.permitted import permitted
from lockgate.control.nodes import services, shown
from lockgate.control.nodes.forms import Invite
from lockgate.control.nodes.recorded import of_nodes

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@permitted(services.READ, to_change=services.WRITE)
def nodes(request: HttpRequest) -> HttpResponse:
    """Every node, what is on its way to them, and enrolling another one."""
    form = Invite(request.POST) if request.method == "POST" else Invite()
    token = name = None
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"]
        try:
            token = services.invite(actor_of(request), name)
        except AccountError as error:
            form.add_error("name", str(error))
        else:
            form = Invite()
    found = shown.shown()
    recorded = of_nodes(one.node for one in found)
    rows = [replace(one, recorded=recorded.get(one.node.name)) for one in found]
    context = {
        "rows": rows,
        "records": bool(recorded),
        "has_others": any(not one.node.is_first for one in rows),
        "publications": shown.publications(),
        "pace": settings.LOCKGATE.pace,
        "form": form,
        "token": token,
        "name": name,
        "address": f"{request.scheme}://{request.get_host()}",
    }
    return render(request, "nodes/nodes.html", context)


@require_POST
@permitted(services.WRITE, to_change=services.WRITE)
def remove(request: HttpRequest, name: str) -> HttpResponse:
    """Answer a node no more."""
    try:
        services.remove(actor_of(request), name, request.POST.get("why", ""))
    except AccountError as error:
        messages.error(request, str(error))
    else:
        messages.success(
            request, f"{name} is answered no more; it serves on with what it has until it is stopped"
        )
    return redirect("nodes")


@require_POST
@permitted(services.WRITE, to_change=services.WRITE)
def again(request: HttpRequest, number: int, kind: str) -> HttpResponse:
    """Publish again what was stopped."""
    try:
        made = services.publish_again(actor_of(request), number, request.POST.get("why", ""), kind)
    except AccountError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{kind} {number} is on its way again, as {made}")
    return redirect("nodes")
