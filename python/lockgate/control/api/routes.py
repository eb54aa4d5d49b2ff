"""The admin API of what is served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest  # noqa: TC002 - ninja reads it
from ninja import Router, Schema

from lockgate.control.api.credentials import needs
from lockgate.control.routes import services

if TYPE_CHECKING:
    from lockgate.control.portal.catalogue import Policy

router = Router(tags=["routes"])


class PurposeOut(Schema):
    """What a policy is for."""

    why: str | None = None
    owner: str | None = None
    measure: str | None = None
    """How one sees that it works."""


class PolicyOut(Schema):
    """A policy as it is declared."""

    id: str
    kind: str
    mode: str
    percent: float
    """Of callers."""
    declared_for: str
    """Such as `gateway`, `api orders` or `version orders/v1`."""
    settings: dict[str, Any]
    purpose: PurposeOut


class FieldOut(Schema):
    """A header field."""

    name: str
    value: str


class VersionName(Schema):
    """Which version of which API."""

    api: str
    version: str


class RouteOut(Schema):
    """A route with the policies that hold for it, in their order; those that are off come last."""

    id: str
    methods: list[str]
    """Any, when there is none."""
    path: str
    fields: list[FieldOut]
    """Header fields that a request must have."""
    upstreams: list[str]
    policies: list[PolicyOut]


class DeclaredOut(Schema):
    """A policy, and for how much it holds."""

    policy: PolicyOut
    routes: int
    """For how many routes."""
    versions: list[VersionName]


class TargetOut(Schema):
    """A member of an upstream."""

    address: str
    is_healthy: bool
    in_flight: int


class UpstreamOut(Schema):
    """An upstream as the first node sees it."""

    name: str
    targets: list[TargetOut]
    is_open: bool
    """Whether its circuit is open, so that nothing is sent to it."""
    versions: list[str]
    """The versions of APIs that it answers."""


@router.get("/apis/{api}/{version}/routes", response=list[RouteOut], auth=needs(services.READ))
def routes(request: HttpRequest, api: str, version: str) -> list[dict[str, Any]]:  # noqa: ARG001
    """The routes of a version of an API as they are served, each with its effective policies."""
    _, found = services.find(api, version)
    return [
        {
            "id": route.id,
            "methods": route.methods,
            "path": route.path,
            "fields": [{"name": name, "value": value} for name, value in route.fields],
            "upstreams": route.upstreams,
            "policies": [_policy(one.policy) for one in services.effective(route)],
        }
        for route in found.routes
    ]


@router.get("/policies", response=list[DeclaredOut], auth=needs(services.READ))
def policies(request: HttpRequest) -> list[dict[str, Any]]:  # noqa: ARG001
    """Every policy that is served, once, with what it is for and for how much it holds."""
    return [
        {
            "policy": _policy(one.policy),
            "routes": one.routes,
            "versions": [{"api": api, "version": version} for api, version in one.names],
        }
        for one in services.declared()
    ]


@router.get("/upstreams", response=list[UpstreamOut], auth=needs(services.READ))
def upstreams(request: HttpRequest) -> list[services.Service]:  # noqa: ARG001
    """The services behind APIs; empty while the node does not answer."""
    return services.services() or []


def _policy(policy: Policy) -> dict[str, Any]:
    return {
        "id": policy.id,
        "kind": policy.kind,
        "mode": policy.mode,
        "percent": policy.share / 100,
        "declared_for": policy.origin,
        "settings": policy.settings,
        "purpose": {name: policy.purpose.get(name) for name in ("why", "owner", "measure")},
    }
