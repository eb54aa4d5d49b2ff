"""A publisher, and people who set up a feed of it and agree to it."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from control.changing import BOB, ROOT
from control.feeds.publisher import Publisher
from control.sites import Site, site_of
from lockgate.control.feeds import deciding, looking, services
from lockgate.control.feeds.models import Feed
from lockgate.control.worker.running import Worker
from lockgate.control.worker.tasks import KINDS

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
def site(tmp_path: Path, settings: Settings) -> Iterator[Site]:
    with site_of(tmp_path, settings) as site:
        yield site
