"""Teams, applications, credentials, plans and subscriptions in the admin API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest  # noqa: TC002 - ninja reads it
from django.urls import reverse
from ninja import Router, Status

from lockgate.control.access import applications, credentials, delivery, plans, subscriptions, teams
from lockgate.control.access.models import Application, Credential, Directory, Plan, Subscription
from lockgate.control.access.services import (
    APPROVE,
    OWN,
    PLANS,
    READ,
    applications_of,
    find_application,
    find_team,
    teams_of,
)
from lockgate.control.api import application_forms as forms
from lockgate.control.api.credentials import caller, needs
from lockgate.control.api.forms import Why  # noqa: TC001 - ninja reads it

if TYPE_CHECKING:
    from lockgate.control.access.credentials import Issued
    from lockgate.control.access.models import Membership, Team

router = Router(tags=["applications"])
MOST = 1_000


@router.get("/me/teams", response=list[forms.TeamOut], auth=needs(OWN))
def my_teams(request: HttpRequest) -> list[Team]:
    """The teams that the caller is in."""
    return teams_of(caller(request))


@router.get("/me/applications", response=list[forms.ApplicationOut], auth=needs(OWN))
def my_applications(request: HttpRequest) -> list[Application]:
    """The applications of the caller's teams, without those that are over."""
    return applications_of(caller(request))


@router.post("/teams", response={201: forms.TeamOut}, auth=needs(OWN))
def make_team(request: HttpRequest, body: forms.TeamRequest) -> Team:
    """Make a team; the caller owns it."""
    return teams.create(caller(request), name=body.name, title=body.title)


@router.get("/teams/{team}/members", response=list[forms.MemberOut], auth=needs(OWN))
def members(request: HttpRequest, team: str) -> list[Membership]:
    """The people of a team."""
    found = find_team(caller(request), team)
    return list(found.memberships.select_related("user").order_by("user__email"))


@router.post("/teams/{team}/invitations", response={201: forms.TeamInvited}, auth=needs(OWN))
def invite_member(request: HttpRequest, team: str, body: forms.TeamInvitation) -> dict[str, str]:
    """Make a link by which somebody joins a team. Hand it over yourself."""
    token = teams.invite(caller(request), team, email=body.email, role=body.role)
    return {"link": request.build_absolute_uri(reverse("join_team", args=[token]))}


@router.patch("/teams/{team}/members/{email}", response=forms.MemberOut, auth=needs(OWN))
def change_member(request: HttpRequest, team: str, email: str, body: forms.MemberChange) -> Membership:
    """Make a member an owner, or an owner a member."""
    return teams.change_member(caller(request), team, email, role=body.role, why=body.why)


@router.delete("/teams/{team}/members/{email}", response={204: None}, auth=needs(OWN))
def remove_member(request: HttpRequest, team: str, email: str) -> Status[None]:
    """Take somebody out of a team."""
    teams.remove_member(caller(request), team, email)
    return Status(204, None)


@router.get("/applications", response=list[forms.ApplicationOut], auth=needs(READ))
def all_applications(request: HttpRequest, q: str = "") -> list[Application]:  # noqa: ARG001
    """Applications of every team, by name. `q` is a part of the name."""
    found = Application.objects.select_related("team").filter(name__contains=q).order_by("name")
    return list(found[:MOST])


@router.post("/applications", response={201: forms.ApplicationOut}, auth=needs(OWN))
def make_application(request: HttpRequest, body: forms.ApplicationRequest) -> Application:
    """Make an application in a team of the caller's."""
    return applications.create(caller(request), **body.model_dump())


@router.get("/applications/{name}", response=forms.ApplicationOut, auth=needs(None))
def application(request: HttpRequest, name: str) -> Application:
    """An application of the caller's teams; any, with `applications:read`."""
    return find_application(caller(request), name, to_read=True)


@router.patch("/applications/{name}", response=forms.ApplicationOut, auth=needs(OWN))
def change_application(request: HttpRequest, name: str, body: forms.ApplicationChange) -> Application:
    """Change the title of an application, or what is said of it."""
    return applications.change(caller(request), name, title=body.title, description=body.description)


@router.post("/applications/{name}/suspend", response=forms.ApplicationOut, auth=needs(OWN))
def suspend_application(request: HttpRequest, name: str, body: Why) -> Application:
    """Have every call of an application refused until it is resumed."""
    return applications.suspend(caller(request), name, why=body.why)


@router.post("/applications/{name}/resume", response=forms.ApplicationOut, auth=needs(OWN))
def resume_application(request: HttpRequest, name: str, body: Why) -> Application:
    """Have a suspended application's credentials work again."""
    return applications.resume(caller(request), name, why=body.why)


@router.post("/applications/{name}/move", response=forms.ApplicationOut, auth=needs(OWN))
def move_application(request: HttpRequest, name: str, body: forms.ApplicationMove) -> Application:
    """Give an application to another team."""
    return applications.move(caller(request), name, team=body.team, why=body.why)


@router.post("/applications/{name}/retire", response=forms.ApplicationOut, auth=needs(OWN))
def retire_application(request: HttpRequest, name: str, body: Why) -> Application:
    """End an application for ever, with all its credentials."""
    return applications.retire(caller(request), name, why=body.why)


@router.get("/applications/{name}/credentials", response=list[forms.CredentialOut], auth=needs(None))
def application_credentials(request: HttpRequest, name: str) -> list[Credential]:
    """The credentials of an application, the newest first."""
    found = find_application(caller(request), name, to_read=True)
    return list(found.credentials.order_by("-created_at")[:MOST])


@router.post("/applications/{name}/credentials", response={201: forms.CredentialIssued}, auth=needs(OWN))
def issue_credential(request: HttpRequest, name: str, body: forms.CredentialRequest) -> Issued:
    """Make a key, or an OAuth 2.0 client."""
    return credentials.issue(caller(request), name, kind=body.kind, label=body.label, days=body.days)


@router.post(
    "/applications/{name}/credentials/{credential_id}/rotate",
    response={201: forms.CredentialIssued},
    auth=needs(OWN),
)
def rotate_credential(request: HttpRequest, name: str, credential_id: int, body: forms.Rotation) -> Issued:
    """Make a credential in the place of another, which works on for a while and ends by itself."""
    return credentials.rotate(
        caller(request),
        credential_id,
        overlap_hours=body.overlap_hours,
        days=body.days,
        application=name,
    )


@router.post(
    "/applications/{name}/credentials/{credential_id}/revoke", response=forms.CredentialOut, auth=needs(OWN)
)
def revoke_credential(request: HttpRequest, name: str, credential_id: int, body: Why) -> Credential:
    """Refuse a credential at once and for ever."""
    return credentials.revoke(caller(request), credential_id, why=body.why, application=name)


@router.get("/applications/{name}/subscriptions", response=list[forms.SubscriptionOut], auth=needs(None))
def application_subscriptions(request: HttpRequest, name: str) -> list[Subscription]:
    """The subscriptions of an application, and its requests, the newest first."""
    found = find_application(caller(request), name, to_read=True)
    return list(found.subscriptions.select_related("application", "plan").order_by("-asked_at")[:MOST])


@router.post("/applications/{name}/subscriptions", response={201: forms.SubscriptionOut}, auth=needs(OWN))
def subscribe(request: HttpRequest, name: str, body: forms.SubscriptionRequest) -> Subscription:
    """Ask for a plan; one that needs no approval is there at once."""
    return subscriptions.ask(caller(request), name, plan=body.plan, reason=body.reason)


@router.get("/plans", response=list[forms.PlanOut], auth=needs(None), tags=["plans"])
def all_plans(request: HttpRequest) -> list[Plan]:  # noqa: ARG001
    """Every plan."""
    return list(Plan.objects.select_related("owner").order_by("name")[:MOST])


@router.post("/plans", response={201: forms.PlanOut}, auth=needs(PLANS), tags=["plans"])
def make_plan(request: HttpRequest, body: forms.PlanRequest) -> Plan:
    """Make a plan."""
    given = body.model_dump(exclude_none=True)
    return plans.create(caller(request), **given)


@router.get("/plans/{name}", response=forms.PlanWithPolicies, auth=needs(None), tags=["plans"])
def plan(request: HttpRequest, name: str) -> dict[str, Any]:  # noqa: ARG001
    """A plan, with the policies for its limits and those that the served document lacks."""
    found = plans.find(name)
    policies, missing = plans.policies(found), plans.missing(found, plans.served())
    return {"plan": found, "policies": policies, "missing": missing}


@router.patch("/plans/{name}", response=forms.PlanOut, auth=needs(PLANS), tags=["plans"])
def change_plan(request: HttpRequest, name: str, body: forms.PlanChange) -> Plan:
    """Change a plan, for those who are on it, too. `null` takes a limit away."""
    return plans.change(caller(request), name, **body.model_dump(exclude_unset=True))


@router.get("/subscriptions", response=list[forms.SubscriptionOut], auth=needs(APPROVE), tags=["plans"])
def all_subscriptions(request: HttpRequest, state: str = "requested") -> list[Subscription]:  # noqa: ARG001
    """Subscriptions and requests of a state, those first that wait longest."""
    found = Subscription.objects.filter(state=state).select_related("application", "plan")
    return list(found.order_by("asked_at")[:MOST])


@router.post(
    "/subscriptions/{subscription_id}/decision",
    response=forms.SubscriptionOut,
    auth=needs(APPROVE),
    tags=["plans"],
)
def decide(request: HttpRequest, subscription_id: int, body: forms.Decision) -> Subscription:
    """Approve a request or refuse it; never one of the caller's own team."""
    return subscriptions.decide(caller(request), subscription_id, approve=body.approve, answer=body.answer)


@router.post(
    "/subscriptions/{subscription_id}/end", response=forms.SubscriptionOut, auth=needs(OWN), tags=["plans"]
)
def end_subscription(request: HttpRequest, subscription_id: int, body: Why) -> Subscription:
    """End a subscription, or take a request back."""
    return subscriptions.end(caller(request), subscription_id, why=body.why)


@router.get("/directory", response=forms.DirectoryOut, auth=needs(READ))
def directory(request: HttpRequest) -> dict[str, Any]:  # noqa: ARG001
    """What the node was told of applications, what it was not told yet, and who else has some."""
    row = Directory.objects.filter(pk=1).first() or Directory()
    return {
        "sequence": row.sequence,
        "published_at": row.published_at,
        "follows_document": row.follows_document,
        "waiting": delivery.waiting(),
        "taken": row.taken,
        "others": delivery.others(),
    }
