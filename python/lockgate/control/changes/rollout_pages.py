"""The pages of rollouts and revisions: what the node does now, commanding it, and going back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from lockgate.audit import AuditError
from lockgate.control import node
from lockgate.control.accounts.people import actor_of
from lockgate.control.changes import forms, live, rollouts
from lockgate.control.changes.errors import ChangeError
from lockgate.control.changes.models import Proposal
from lockgate.control.console.permitted import permitted
from lockgate.control.nodes.shown import elsewhere

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


_DONE = {
    "promote": "It goes to the next stage as soon as it may.",
    "pause": "It stays in this stage; the guard still watches.",
    "resume": "It goes on.",
    "abort": "It went back to the revision that it began with.",
}


@permitted("traffic:read")
def rollout(request: HttpRequest) -> HttpResponse:
    """The rollout that runs, else the last one."""
    return render(request, "changes/rollout.html", _shown())


@permitted("traffic:read")
def rollout_live(request: HttpRequest) -> HttpResponse:
    """The part of that page that changes, which it asks for again and again."""
    return render(request, "changes/rollout_live.html", _shown() | {"was": request.GET.get("was", "")})


@require_POST
@permitted("rollouts:write", to_change="rollouts:write")
def command(request: HttpRequest, what: str) -> HttpResponse:
    """Promote, pause, resume or abort it."""
    if what not in rollouts.COMMANDS:
        raise Http404
    try:
        rollouts.command(actor_of(request), what, why=request.POST.get("why", ""))
    except (ChangeError, AuditError) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _DONE[what])
    return redirect("rollout")


@permitted("traffic:read", to_change="rollouts:write")
def revisions(request: HttpRequest) -> HttpResponse:
    """What the node keeps, and going back to it."""
    form = forms.Reason()
    if request.method == "POST":
        form = forms.Reason(request.POST)
        if form.is_valid():
            try:
                to, why = request.POST.get("to", ""), form.cleaned_data["reason"]
                went = rollouts.roll_back(actor_of(request), to=to, why=why)
            except (ChangeError, AuditError) as error:
                messages.error(request, str(error))
            else:
                what = "serves" if went.running else "is what the next start serves"
                messages.success(request, f"Generation {went.generation} {what}.")
                return redirect("revisions")
    try:
        found = rollouts.generations()
    except ChangeError:
        found = None
    named = {one.candidate: one for one in Proposal.objects.exclude(candidate="").order_by("id")}
    kept = [{"kept": one, "change": named.get(one.id)} for one in found.kept] if found else []
    context = {"generations": found, "kept": kept, "form": form, "stats": node.stats()}
    return render(request, "changes/revisions.html", context)


def _shown() -> dict[str, Any]:
    now = rollouts.current()
    if now is None:
        return {"now": None, "node": node.running()}
    proposal = Proposal.objects.filter(rollout=now.id).first()
    others = None if now.rolled_back else elsewhere(now.candidate)
    return {
        "now": now,
        "change": proposal,
        "live": live.Live(now),
        "phase": live.phase(now),
        "elsewhere": others,
    }
