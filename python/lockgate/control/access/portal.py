"""The portal's pages of teams and applications, for those who are in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from lockgate.control.access import applications, credentials, forms, subscriptions, teams
from lockgate.control.access.models import Plan, Subscription
from lockgate.control.access.services import (
    OWN,
    applications_of,
    find_application,
    find_team,
    owns,
    teams_of,
)
from lockgate.control.accounts.errors import AccountError, UnknownError
from lockgate.control.accounts.people import actor_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from lockgate.control.access.credentials import Issued
    from lockgate.control.access.models import Application
    from lockgate.control.audit.services import Actor


def my_applications(request: HttpRequest) -> HttpResponse:
    """The applications of one's teams, and making another one."""
    by = actor_of(request)
    form = forms.NewApplication(teams_of(by), *([request.POST] if request.method == "POST" else []))
    if request.method == "POST" and form.is_valid():
        try:
            made = applications.create(by, **form.cleaned_data)
        except AccountError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{made.title} is there. Subscribe to a plan, and make a key.")
            return redirect("my_application", made.name)
    return _mine(request, by, form, forms.NewTeam())


def _mine(
    request: HttpRequest, by: Actor, form: forms.NewApplication, team_form: forms.NewTeam
) -> HttpResponse:
    context = {
        "teams": teams_of(by),
        "applications": applications_of(by),
        "form": form,
        "team_form": team_form,
        "may_own": OWN in by.permissions,
    }
    return render(request, "access/my_applications.html", context)


@require_POST
def make_team(request: HttpRequest) -> HttpResponse:
    """Make a team."""
    by, form = actor_of(request), forms.NewTeam(request.POST)
    if form.is_valid():
        try:
            made = teams.create(by, **form.cleaned_data)
        except AccountError as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, f"The team {made.title} is there, and you own it.")
            return redirect("my_applications")
    return _mine(request, by, forms.NewApplication(teams_of(by)), form)


@sensitive_post_parameters()
def my_application(request: HttpRequest, name: str) -> HttpResponse:
    """An application: its credentials and subscriptions, and making another credential."""
    by = actor_of(request)
    try:
        found = find_application(by, name, to_read=True)
    except UnknownError as error:
        raise Http404(str(error)) from None
    form = forms.NewCredential(*([request.POST] if request.method == "POST" else []))
    issued = None
    if request.method == "POST" and form.is_valid():
        try:
            issued = credentials.issue(by, name, **form.cleaned_data)
        except AccountError as error:
            form.add_error(None, str(error))
        else:
            form = forms.NewCredential()
    return _application_page(request, by, found, form, issued)


def _application_page(
    request: HttpRequest,
    by: Actor,
    found: Application,
    form: forms.NewCredential,
    issued: Issued | None,
) -> HttpResponse:
    live = Subscription.State
    there = found.subscriptions.select_related("plan").order_by("-asked_at")
    held = {one.plan_id for one in there if one.state in {live.REQUESTED, live.ACTIVE}}
    plans = [plan for plan in Plan.objects.filter(is_open=True).order_by("title") if plan.pk not in held]
    context = {
        "application": found,
        "credentials": found.credentials.prefetch_related("replaced_by").order_by("-created_at"),
        "subscriptions": there,
        "form": form,
        "issued": issued,
        "subscribe": forms.Subscribe(plans) if plans else None,
        "has_plans": bool(plans or held),
        "change": forms.ChangeApplication(initial={"title": found.title, "description": found.description}),
        "move": forms.Move(),
        "retire": forms.Retire(),
        "is_owner": owns(by, found.team),
        "token_url": request.build_absolute_uri(reverse("oauth_token")),
    }
    return render(request, "access/my_application.html", context)


@require_POST
def change_application(request: HttpRequest, name: str) -> HttpResponse:
    """Change an application's title and description."""
    form = forms.ChangeApplication(request.POST)
    given = form.cleaned_data if form.is_valid() else {}

    def change(by: Actor) -> str:
        return f"{applications.change(by, name, **given).title} was changed"

    return _done(request, name, change)


@require_POST
def suspend(request: HttpRequest, name: str) -> HttpResponse:
    """Suspend an application, or resume it."""
    resumes = "resume" in request.POST

    def act(by: Actor) -> str:
        if resumes:
            return f"{applications.resume(by, name, why=_why(request)).title} may call again"
        return (
            f"{applications.suspend(by, name, why=_why(request)).title} is refused everywhere until resumed"
        )

    return _done(request, name, act)


@require_POST
def move(request: HttpRequest, name: str) -> HttpResponse:
    """Give an application to another team."""

    def act(by: Actor) -> str:
        moved = applications.move(by, name, team=request.POST.get("team", ""))
        return f"{moved.title} belongs to {moved.team.title} now"

    return _done(request, name, act, otherwise="my_applications")


@require_POST
def retire(request: HttpRequest, name: str) -> HttpResponse:
    """End an application for ever."""

    def act(by: Actor) -> str:
        if request.POST.get("again", "").strip() != name:
            message = f"write `{name}` to retire it: this cannot be undone"
            raise AccountError(message)
        return f"{applications.retire(by, name).title} is over; its credentials are refused for ever"

    return _done(request, name, act)


@sensitive_post_parameters()
def rotate(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    """Rotate a credential: the new one is shown, and the old one works on for a while."""
    by = actor_of(request)
    try:
        found = find_application(by, name, to_read=True)
    except UnknownError as error:
        raise Http404(str(error)) from None
    old = found.credentials.filter(pk=pk, revoked_at=None).first()
    if old is None:
        message = "there is no such credential"
        raise Http404(message)
    form = forms.Rotate(*([request.POST] if request.method == "POST" else []))
    issued = None
    if request.method == "POST" and form.is_valid():
        try:
            issued = credentials.rotate(by, pk, application=name, **form.cleaned_data)
        except AccountError as error:
            form.add_error(None, str(error))
        else:
            old.refresh_from_db()
    context = {"application": found, "old": old, "form": form, "issued": issued}
    return render(request, "access/rotate.html", context)


@require_POST
def revoke(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    """Revoke a credential."""

    def act(by: Actor) -> str:
        revoked = credentials.revoke(by, pk, application=name, why=_why(request))
        return f"{revoked.prefix}… is refused from now on, for ever"

    return _done(request, name, act)


@require_POST
def subscribe(request: HttpRequest, name: str) -> HttpResponse:
    """Ask for a plan."""

    def act(by: Actor) -> str:
        plan, reason = request.POST.get("plan", ""), request.POST.get("reason", "")
        asked = subscriptions.ask(by, name, plan=plan, reason=reason)
        if asked.state == Subscription.State.ACTIVE:
            return f"{asked.application.title} is on {asked.plan.title}"
        return f"{asked.plan.title} was asked for; you are told when it is decided"

    return _done(request, name, act)


@require_POST
def unsubscribe(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    """End a subscription, or take a request back."""

    def act(by: Actor) -> str:
        ended = subscriptions.end(by, pk, application=name, why=_why(request))
        return f"{ended.application.title} is no longer on {ended.plan.title}"

    return _done(request, name, act)


def my_team(request: HttpRequest, name: str) -> HttpResponse:
    """A team: its members, and inviting another one."""
    by = actor_of(request)
    try:
        team = find_team(by, name)
    except UnknownError as error:
        raise Http404(str(error)) from None
    form = forms.InviteMember(*([request.POST] if request.method == "POST" else []))
    link = invited = None
    if request.method == "POST" and form.is_valid():
        invited = form.cleaned_data["email"]
        try:
            token = teams.invite(by, name, **form.cleaned_data)
        except AccountError as error:
            form.add_error(None, str(error))
        else:
            link = request.build_absolute_uri(reverse("join_team", args=[token]))
            form = forms.InviteMember()
    context = {
        "team": team,
        "members": team.memberships.select_related("user").order_by("user__email"),
        "applications": team.applications.filter(retired_at=None).order_by("name"),
        "form": form,
        "link": link,
        "invited": invited,
        "is_owner": owns(by, team),
    }
    return render(request, "access/my_team.html", context)


@require_POST
def change_member(request: HttpRequest, name: str) -> HttpResponse:
    """Give a member another role, or take somebody out of a team."""
    by = actor_of(request)
    email, role = request.POST.get("email", ""), request.POST.get("role", "")
    try:
        if "remove" in request.POST:
            teams.remove_member(by, name, email)
            messages.success(request, f"{email} is in {name} no more")
        else:
            teams.change_member(by, name, email, role=role)
            messages.success(request, f"{email} is {role} of {name}")
    except AccountError as error:
        messages.error(request, str(error))
    return redirect("my_team", name) if _sees_team(by, name) else redirect("my_applications")


def _sees_team(by: Actor, name: str) -> bool:
    try:
        find_team(by, name)
    except UnknownError:
        return False
    return True


def join(request: HttpRequest, token: str) -> HttpResponse:
    """Join a team by an invitation."""
    by = actor_of(request)
    try:
        found = teams.invitation(token)
        if request.method == "POST":
            team = teams.join(by, token)
            messages.success(request, f"You are in {team.title} now.")
            return redirect("my_team", team.name)
    except AccountError as error:
        what = f"{str(error)[0].upper()}{str(error)[1:]}."
        context = {"title": "This invitation does not work", "what": what}
        return render(request, "console/error.html", context, status=404)
    return render(request, "access/join.html", {"invitation": found})


def _done(request: HttpRequest, name: str, act: Callable[[Actor], str], otherwise: str = "") -> HttpResponse:
    """Act, say what came of it, and go back to where it was asked for."""
    by = actor_of(request)
    try:
        messages.success(request, act(by))
    except AccountError as error:
        messages.error(request, str(error))
    if request.POST.get("back") == "console":
        return redirect("application", name)
    try:
        find_application(by, name, to_read=True)
    except UnknownError:
        return redirect(otherwise or "my_applications")
    return redirect("my_application", name)


def _why(request: HttpRequest) -> str:
    return request.POST.get("why", "")
