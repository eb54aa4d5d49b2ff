"""Django on a database of the tests: SQLite, or the PostgreSQL that LOCKGATE_DATABASE names."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import TYPE_CHECKING

import httpx
import pytest
from changing import CASES
from changing import document as gateway_document
from control.beside import BESIDE, Beside
from control.people import PASSWORD
from control.serving import document
from lockgate import Gateway
from lockgate.running import Running
from postgresql import programs
from services import Service
from sites import KEY

STATE = tempfile.mkdtemp(prefix="lockgate-control-")
_TOLD = {"LOCKGATE_CONTROL_STATE": STATE, "DJANGO_SETTINGS_MODULE": "lockgate.control.settings"}


def _set_up() -> None:
    """Told by the environment, as it is in life; what is started by other tests is not told."""
    import django  # noqa: PLC0415

    os.environ.update(_TOLD)
    try:
        django.setup()
    finally:
        for name in _TOLD:
            del os.environ[name]


_set_up()

from django.core.cache import cache  # noqa: E402
from django.test import Client  # noqa: E402
from lockgate.control.accounts import tokens  # noqa: E402
from lockgate.control.accounts.models import User  # noqa: E402
from lockgate.control.accounts.people import ADMIN  # noqa: E402
from lockgate.control.accounts.roles import permissions_of  # noqa: E402
from lockgate.control.analytics import tail  # noqa: E402
from lockgate.control.audit.services import Actor  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from control.people import NewToken, NewUser, SignIn, Traffic
    from pytest_django.fixtures import Settings


def _is_suite(item: pytest.Item) -> bool:
    return item.name == "test_the_suite_passes_on_postgresql"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for the suite on PostgreSQL comes last, whatever folder it is in."""
    items.sort(key=_is_suite)


def pytest_collection_finish(session: pytest.Session) -> None:
    suite = next(filter(_is_suite, session.items), None)
    if suite is None or session.config.option.collectonly or programs() is None:
        return
    module = getattr(suite, "module", None)
    session.config.stash[BESIDE] = Beside(getattr(module, "WITHOUT", []))


def pytest_unconfigure(config: pytest.Config) -> None:
    if beside := config.stash.get(BESIDE, None):
        beside.close()


@pytest.fixture(scope="session", autouse=True)
def _state() -> Iterator[None]:
    yield
    shutil.rmtree(STATE)


@pytest.fixture(autouse=True)
def _fresh(db: None) -> None:  # noqa: ARG001 - each test has the database for itself
    """Attempts to sign in are counted anew for each test, and recordings of others are forgotten."""
    cache.clear()
    tail.forget()


@pytest.fixture
def new_user() -> NewUser:
    def new_user(role: str = ADMIN, email: str = "ada@example.com") -> User:
        user = User(email=email, role=role)
        user.set_password(PASSWORD)
        user.save()
        return user

    return new_user


@pytest.fixture
def admin(new_user: NewUser) -> User:
    return new_user()


@pytest.fixture
def by(admin: User) -> Actor:
    """The admin as an actor."""
    return Actor(admin.email, "192.0.2.1", permissions_of(ADMIN))


@pytest.fixture
def sign_in() -> SignIn:
    def sign_in(user: User, password: str = PASSWORD) -> Client:
        client = Client()
        client.post("/account/login/", {"login": user.email, "password": password})
        return client

    return sign_in


@pytest.fixture
def new_token(by: Actor) -> NewToken:
    def new_token(*scopes: str) -> str:
        return tokens.issue(by, account="siem", scopes=scopes, days=1)[1]

    return new_token


@pytest.fixture
def recordings(tmp_path: Path, settings: Settings) -> Path:
    """The folder of the node's recording, empty."""
    folder = tmp_path / "config" / "recordings"
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"recording": folder})
    return folder


@pytest.fixture
def traffic(tmp_path: Path, recordings: Path) -> Traffic:
    """Calls through a gateway that records, sealed: 2 answered, 1 too many, 2 without a key, 1 to nowhere."""

    def traffic() -> None:
        with Service() as service:
            gateway = Gateway(document(tmp_path, service.url))
            url = gateway.urls["public"]
            for path, key in (*[("/orders/1", KEY)] * 3, *[("/orders/2", {})] * 2, ("/nowhere", {})):
                httpx.get(url + path, headers=key)
            gateway.stop(5.0)
        assert list(recordings.glob("*.zst"))

    return traffic


@pytest.fixture
def served(tmp_path: Path, settings: Settings) -> Iterator[Path]:
    """A document that a node serves, with a recording of three calls of two applications."""
    folder = tmp_path / "config"
    folder.mkdir()
    path = folder / "gateway.yaml"
    with Service() as service:
        path.write_text(gateway_document(service.url, "shop", "legacy"))
        (folder / "cases.yaml").write_text(CASES)
        node = Gateway(path)
        for name in ("shop", "shop", "legacy"):
            httpx.get(f"{node.urls['public']}/orders/7", headers={"X-Api-Key": name})
        node.stop(5.0)
        state = tmp_path / "state"
        state.mkdir(mode=0o700)
        told = settings.LOCKGATE.model_copy(update={"state": state, "recording": folder / "recordings"})
        settings.LOCKGATE = told
        Running(admin="127.0.0.1:9", listeners={}, document=str(path), pid=1).write(state)
        yield path
