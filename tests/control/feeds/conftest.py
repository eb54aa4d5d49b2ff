"""A publisher, and people who set up a feed of it and agree to it."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import pytest
from changing import CASES
from changing import document as gateway
from control.changing import BOB, ROOT
from control.feeds.publisher import Publisher
from control.feeds.rolling import APPLICATIONS
from lockgate import Gateway
from lockgate.control.feeds import deciding, looking, services
from lockgate.control.feeds.models import Feed
from lockgate.control.worker.running import Worker
from lockgate.control.worker.tasks import KINDS
from lockgate.running import Running
from services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from control.people import NewUser
    from lockgate.control.accounts.models import User
    from pytest_django.fixtures import Settings

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


class SetUp(Protocol):
    """Sets the feed up, as an admin does."""

    def __call__(self, **said: Any) -> Feed: ...


class Round(Protocol):
    """One look, the evidence of what it brought, and the decision; gives the feed."""

    def __call__(self) -> Feed: ...


@pytest.fixture
def publisher(tmp_path: Path, settings: Settings) -> Iterator[Publisher]:
    settings.LOCKGATE_WEBHOOK_PRIVATE = LOOPBACK
    found = Publisher(tmp_path)
    found.publish()
    with found.service:
        yield found


@pytest.fixture
def root(new_user: NewUser) -> User:
    return new_user("platform_admin", ROOT.who)


@pytest.fixture
def bob(new_user: NewUser) -> User:
    return new_user("approver", BOB.who)


@pytest.fixture
def set_up(publisher: Publisher) -> SetUp:
    def set_up(**said: Any) -> Feed:
        fields: dict[str, Any] = {
            "name": "threats",
            "source": publisher.url,
            "kind": "networks",
            "public_key": publisher.public_key,
            "owner": "security-team",
            "mode": "enforce",
            "at_least": 1,
            **said,
        }
        return services.make(ROOT, **fields)

    return set_up


@pytest.fixture
def round_() -> Round:
    def round_() -> Feed:
        Feed.objects.update(next_at="2020-01-01T00:00:00Z")
        looking.look()
        Worker((), KINDS).run_waiting()
        deciding.follow()
        return Feed.objects.get()

    return round_


@pytest.fixture
def node(tmp_path: Path, settings: Settings) -> Iterator[tuple[Gateway, Path]]:
    folder, state = tmp_path / "config", tmp_path / "state"
    folder.mkdir()
    state.mkdir(mode=0o700)
    path = folder / "gateway.yaml"
    with Service() as service:
        path.write_text(gateway(service.url, *APPLICATIONS))
        (folder / "cases.yaml").write_text(CASES)
        with Gateway(path, state=state / "node") as node:
            for name in APPLICATIONS:
                httpx.get(f"{node.urls['public']}/orders/7", headers={"X-Api-Key": name})
            told = {"state": state, "recording": folder / "recordings"}
            settings.LOCKGATE = settings.LOCKGATE.model_copy(update=told)
            Running(admin=node.admin, listeners=node.urls, document=str(path), pid=1).write(state)
            yield node, path
