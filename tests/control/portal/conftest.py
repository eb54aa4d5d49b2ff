"""A gateway that runs, its document, and people with applications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest
from control.portal import shop
from lockgate import Gateway
from lockgate.control.access.models import Application, Membership, Team
from lockgate.control.portal import served
from lockgate.running import Running
from services import Service, answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockgate.control.accounts.models import User
    from pytest_django.fixtures import Settings
    from services import Request


@pytest.fixture(autouse=True)
def _unknown() -> Iterator[None]:
    """What another test's document said is not remembered."""
    served.forget()
    yield
    served.forget()


@pytest.fixture
def state(tmp_path: Path, settings: Settings) -> Path:
    """The state folder of a control plane of this test."""
    folder = tmp_path / "state"
    folder.mkdir()
    recording = tmp_path / "config" / "recordings"
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"state": folder, "recording": recording})
    return folder


@pytest.fixture
def document(tmp_path: Path, state: Path) -> Path:
    """The shop's document, as if a node served it."""
    path = shop.write(tmp_path, "http://127.0.0.1:1")
    Running(
        admin="127.0.0.1:1", listeners={"public": "http://127.0.0.1:8080"}, document=str(path), pid=1
    ).write(state)
    return path


def reply(request: Request) -> bytes:
    """What the shop's service answers."""
    if request.path.startswith("/orders/99"):
        return answer(b"x" * 600_000, Content_Type="text/plain")
    if request.path.startswith("/orders/98"):
        return answer(b"", "302 Found", Location="http://192.0.2.1/")
    return answer(b'{"id":1,"customer":"<b>Ada</b>"}', Content_Type="application/json")


@pytest.fixture
def gateway(tmp_path: Path, state: Path) -> Iterator[Gateway]:
    """A node that serves the shop, with a service behind it."""
    with Service(reply) as service:
        path = shop.write(tmp_path, service.url)
        running = Gateway(path)
        Running(admin="127.0.0.1:1", listeners=running.urls, document=str(path), pid=1).write(state)
        yield running
        running.stop(5.0)


class NewApplication(Protocol):
    """Makes an application of somebody's team."""

    def __call__(self, user: User, name: str = ...) -> Application: ...


@pytest.fixture
def new_application() -> NewApplication:
    def new_application(user: User, name: str = "storefront") -> Application:
        team, _ = Team.objects.get_or_create(name=f"team-{user.pk}", title="A team")
        Membership.objects.get_or_create(team=team, user=user, role="owner")
        return Application.objects.create(name=name, title="The web shop", team=team, created_by=user.email)

    return new_application
