"""Who reaches the portal, and what its first page says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client
from lockgate.control.accounts.roles import ROLES

if TYPE_CHECKING:
    from control.people import NewUser, SignIn
    from pytest_django.fixtures import Settings


@pytest.mark.parametrize("role", [role.name for role in ROLES])
def test_everybody_who_is_signed_in_reaches_the_portal(role: str, new_user: NewUser, sign_in: SignIn) -> None:
    answer = sign_in(new_user(role)).get("/portal/")
    assert answer.status_code == 200
    assert 'aria-label="Portal"' in answer.content.decode()


def test_nobody_else_does_until_the_catalogue_is_open(settings: Settings) -> None:
    answer = Client().get("/portal/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/account/login/?next=/portal/")
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"open_catalogue": True})
    page = Client().get("/portal/").content.decode()
    assert "Sign in" in page
    assert "Sign out" not in page


def test_who_has_no_business_in_the_console_is_led_to_the_portal(new_user: NewUser, sign_in: SignIn) -> None:
    answer = sign_in(new_user("developer")).get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/portal/")
