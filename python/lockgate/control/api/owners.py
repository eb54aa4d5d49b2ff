"""The admin API of owners of APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest  # noqa: TC002 - ninja reads it
from ninja import Router, Schema
from pydantic import Field

from lockgate.control.api.credentials import caller, needs
from lockgate.control.api.forms import Strict
from lockgate.control.owners import services

if TYPE_CHECKING:
    from lockgate.control.owners.services import Owned

router = Router(tags=["owners"])


class OwnedOut(Schema):
    """An API with its owners."""

    api: str
    title: str
    is_served: bool
    users: list[str]
    teams: list[str]
    approvers: list[str]
    """The people behind them who may approve changes of it."""


class OwnersIn(Strict):
    """Who owns an API from now on, in the place of those before; nobody when both are empty."""

    users: list[str] = Field(default_factory=list, max_length=services.MOST_OWNERS)
    teams: list[str] = Field(default_factory=list, max_length=services.MOST_OWNERS)
    why: str = Field("", max_length=2_000)


@router.get("/owners", response=list[OwnedOut], auth=needs(services.READ))
def owners(request: HttpRequest) -> list[Owned]:  # noqa: ARG001
    """Every API, and who owns it."""
    return services.every()


@router.get("/owners/{api}", response=OwnedOut, auth=needs(services.READ))
def owner(request: HttpRequest, api: str) -> Owned:  # noqa: ARG001
    """Who owns an API."""
    return services.find(api)


@router.put("/owners/{api}", response=OwnedOut, auth=needs(services.WRITE))
def own(request: HttpRequest, api: str, body: OwnersIn) -> Owned:
    """Say who owns an API."""
    return services.own(caller(request), api, users=body.users, teams=body.teams, why=body.why)
