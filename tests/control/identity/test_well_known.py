"""What programs find at well-known places."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from control.portal.conftest import _unknown, document, state  # noqa: F401 - fixtures
from django.test import Client
from lockgate.control.accounts.configuration import IdentitySettings

if TYPE_CHECKING:
    from control.people import SignIn
    from lockgate.control.accounts.models import User
    from pytest_django.fixtures import Settings

CATALOG = "/.well-known/api-catalog"
SECURITY = "/.well-known/security.txt"


def linkset(client: Client) -> list[dict[str, Any]]:
    answer = client.get(CATALOG)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == (
        'application/linkset+json; profile="https://www.rfc-editor.org/info/rfc9727"'
    )
    found: list[dict[str, Any]] = json.loads(answer.content)["linkset"]
    return found


@pytest.mark.usefixtures("document")
def test_who_may_read_the_catalogue_finds_every_version(admin: User, sign_in: SignIn) -> None:
    client = sign_in(admin)
    own, *versions = linkset(client)
    assert own["service-desc"][0]["href"] == "http://testserver/api/v1/openapi.json"
    assert versions
    assert len({one["anchor"] for one in versions}) == len(versions)
    for one in versions:
        for relation in ("service-doc", "status", "service-desc"):
            for link in one.get(relation, ()):
                path = link["href"].removeprefix("http://testserver")
                assert client.get(path).status_code == 200, path


@pytest.mark.usefixtures("document")
def test_others_find_what_is_told_to_everybody(settings: Settings) -> None:
    assert [one["anchor"] for one in linkset(Client())] == ["http://testserver/api/v1/"]
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"open_catalogue": True})
    assert len(linkset(Client())) > 1


def test_the_catalogue_is_found_by_its_head() -> None:
    answer = Client().head(CATALOG)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Link"] == f'<http://testserver{CATALOG}>; rel="api-catalog"'
    assert Client().post(CATALOG).status_code == 405


def test_whom_to_tell_of_a_weakness_is_told_where_somebody_said_so(settings: Settings) -> None:
    assert Client().get(SECURITY).status_code == 404
    settings.LOCKGATE_IDENTITY = IdentitySettings(security_contact="mailto:security@example.com")
    answer = Client().get(SECURITY)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    said = dict(line.split(": ", 1) for line in answer.content.decode().splitlines())
    assert said["Contact"] == "mailto:security@example.com"
    assert said["Canonical"].endswith(SECURITY)
    # RFC 9116, section 2.5.5: less than a year ahead, and not past.
    left = datetime.fromisoformat(said["Expires"]) - datetime.now(UTC)
    assert timedelta(days=28) < left < timedelta(days=31)


def test_a_password_manager_is_led_to_where_passwords_change(admin: User, sign_in: SignIn) -> None:
    assert Client().get("/.well-known/change-password", follow=True).status_code == 200
    answer = sign_in(admin).get("/.well-known/change-password", follow=True)
    assert "Change your password" in answer.content.decode()
    # What is not there must not look as if it were: managers try this one.
    other = "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200"
    assert Client().get(other).status_code == 404
