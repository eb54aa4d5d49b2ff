"""People with a team, and a node that is told of its applications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest
from control.access.site import Node
from django.db import transaction
from lockgate.control.access import delivery, plans, subscriptions, teams
from lockgate.control.accounts.roles import permissions_of
from lockgate.control.audit.services import Actor
from services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from control.people import NewUser
    from lockgate.control.accounts.models import User
    from pytest_django.fixtures import Settings


class NewActor(Protocol):
    """Makes an account, and gives who it is."""

    def __call__(self, role: str, email: str) -> Actor: ...


class Give(Protocol):
    """Has an application on a plan, approved by somebody else."""

    def __call__(self, application: str, plan: str = ..., *scopes: str) -> None: ...


def actor(user: User) -> Actor:
    return Actor(user.email, "192.0.2.7", permissions_of(user.role))


@pytest.fixture
def new_actor(new_user: NewUser) -> NewActor:
    return lambda role, email: actor(new_user(role, email))


@pytest.fixture
def dora(new_actor: NewActor) -> Actor:
    """A developer who owns the team `web`."""
    dora = new_actor("developer", "dora@example.com")
    teams.create(dora, name="web", title="Web")
    return dora


@pytest.fixture
def olaf(new_actor: NewActor) -> Actor:
    """An API owner."""
    return new_actor("api_owner", "olaf@example.com")


@pytest.fixture
def give(dora: Actor, olaf: Actor) -> Give:
    def give(application: str, plan: str = "gold", *scopes: str) -> None:
        plans.create(olaf, name=plan, apis=["orders"], scopes=list(scopes) or ["orders:read"])
        asked = subscriptions.ask(dora, application, plan=plan)
        subscriptions.decide(olaf, asked.pk, approve=True)

    return give


@pytest.fixture
def node(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """A node in the state folder of the control plane."""
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"state": tmp_path})
    monkeypatch.setattr(delivery, "_seen", 0)
    # A test is one transaction, which never ends; what would be done then is done at once.
    monkeypatch.setattr(transaction, "on_commit", lambda act, robust=False: act())  # noqa: ARG005
    with Service() as service, Node(tmp_path, service.url) as node:
        node.write()
        node.start()
        yield node
