"""The console's pages: every application and what the node was told, plans, and requests to decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.db.models import Count, Q
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from lockgate.control.access import delivery, forms, plans, subscriptions
from lockgate.control.access.models import Application, Directory, Plan, Subscription
from lockgate.control.access.services import APPROVE, PLANS, READ, WRITE
from lockgate.control.accounts.errors import AccountError, UnknownError
from lockgate.control.accounts.people import actor_of
from lockgate.control.console.permitted import permitted

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

PAGE = 200


@permitted(READ)
def applications(request: HttpRequest) -> HttpResponse:
    """Every application, whose it is, and what the node was told."""
    wanted = request.GET.get("q", "").strip()[:64]
    found = Application.objects.select_related("team").order_by("name")
    if wanted:
        found = found.filter(
            Q(name__contains=wanted) | Q(title__icontains=wanted) | Q(team__name__contains=wanted)
        )
    live = Q(credentials__revoked_at=None) & Q(credentials__expires_at__gt=timezone.now())
    rows = found.annotate(live=Count("credentials", filter=live))[: PAGE + 1]
    others = delivery.others()
    context = {
        "q": wanted,
        "applications": rows[:PAGE],
        "is_cut": len(rows) > PAGE,
        "others": sorted((name, where) for name, where in others.items() if wanted in name),
        "directory": Directory.objects.filter(pk=1).first(),
        "waiting": delivery.waiting(),
        "shadowed": sorted(
            set(found.values_list("name", flat=True)) & set((plans.served() or {}).get("applications", {}))
        ),
    }
    return render(request, "access/applications.html", context)


@require_POST
@permitted(WRITE, to_change=WRITE)
def deliver(request: HttpRequest) -> HttpResponse:
    """Tell the node now what it has not been told."""
    delivery.follow()
    waiting = delivery.waiting()
    if waiting:
        messages.error(request, f"the node could not be told: {waiting[0].error}")
    else:
        messages.success(request, "the node has been told everything")
    return redirect("applications")


@permitted(READ)
def application(request: HttpRequest, name: str) -> HttpResponse:
    """An application of any team, with what can be done in an emergency."""
    found = get_object_or_404(Application.objects.select_related("team"), name=name)
    context = {
        "application": found,
        "credentials": found.credentials.prefetch_related("replaced_by").order_by("-created_at"),
        "subscriptions": found.subscriptions.select_related("plan").order_by("-asked_at"),
        "members": found.team.memberships.select_related("user").order_by("user__email"),
    }
    return render(request, "access/application.html", context)


@permitted(PLANS, to_change=PLANS)
def all_plans(request: HttpRequest) -> HttpResponse:
    """Every plan, and making another one."""
    by = actor_of(request)
    form = forms.NewPlan(*([request.POST] if request.method == "POST" else []))
    if request.method == "POST" and form.is_valid():
        try:
            made = plans.create(by, **form.cleaned_data)
        except AccountError as error:
            form.add_error(None, str(error))
        else:
            messages.success(
                request, f"The plan {made.title} is there. See that the document holds its limits."
            )
            return redirect("plan", made.name)
    on_it = Count("subscriptions", filter=Q(subscriptions__state=Subscription.State.ACTIVE))
    document = plans.served()
    rows = [
        {"plan": plan, "gives": subscriptions.gives(plan), "missing": plans.missing(plan, document)}
        for plan in Plan.objects.select_related("owner").annotate(on_it=on_it).order_by("name")[:PAGE]
    ]
    context = {"rows": rows, "form": form, "apis": plans.known_apis()}
    return render(request, "access/plans.html", context)


@permitted(PLANS, to_change=PLANS)
def plan(request: HttpRequest, name: str) -> HttpResponse:
    """A plan: what it gives, who is on it, and whether the document holds callers to it."""
    by = actor_of(request)
    try:
        found = plans.find(name)
    except UnknownError as error:
        raise Http404(str(error)) from None
    form = forms.PlanForm(request.POST) if request.method == "POST" else forms.PlanForm(initial=_start(found))
    if request.method == "POST" and form.is_valid():
        try:
            plans.change(by, name, **form.cleaned_data)
        except AccountError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{found.title} was changed")
            return redirect("plan", name)
    on_it = found.subscriptions.filter(state=Subscription.State.ACTIVE).select_related("application__team")
    context = {
        "plan": found,
        "form": form,
        "missing": plans.missing(found, plans.served()),
        "policies": plans.policies(found),
        "on_it": on_it.order_by("application__name")[:PAGE],
    }
    return render(request, "access/plan.html", context)


@permitted(APPROVE)
def requests(request: HttpRequest) -> HttpResponse:
    """Requests for plans: what waits, and what was decided last."""
    known = Subscription.objects.select_related("application__team", "plan__owner")
    context = {
        "waiting": known.filter(state=Subscription.State.REQUESTED).order_by("asked_at")[:PAGE],
        "decided": known.exclude(decided_at=None).order_by("-decided_at")[:20],
        "form": forms.Decide(),
    }
    return render(request, "access/requests.html", context)


@require_POST
@permitted(APPROVE, to_change=APPROVE)
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Approve a request, or refuse it."""
    approve = "approve" in request.POST
    try:
        decided = subscriptions.decide(
            actor_of(request), pk, approve=approve, answer=request.POST.get("answer", "")
        )
    except AccountError as error:
        messages.error(request, str(error))
    else:
        did = "is on" if approve else "was refused"
        messages.success(request, f"{decided.application.title} {did} {decided.plan.title}")
    return redirect("requests")


def _start(found: Plan) -> dict[str, Any]:
    names = (
        "title",
        "description",
        "rate_limit",
        "rate_per",
        "quota",
        "quota_per",
        "needs_approval",
        "is_open",
    )
    return {
        **{name: getattr(found, name) for name in names},
        "apis": " ".join(found.apis),
        "scopes": " ".join(found.scopes),
        "owner": found.owner.email if found.owner else "",
    }
