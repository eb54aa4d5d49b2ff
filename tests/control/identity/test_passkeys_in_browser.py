"""Passkeys in a real Chromium with an authenticator: added, asked for, and in place of the password."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from control.browser import NEEDS_CHROMIUM, Watched, assert_accessible, chromium, set_up
from control.people import PASSWORD
from control.serving import Serving, document
from services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """These see no database of their own."""


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A page of the first account, which needs a second factor, in a browser with an authenticator."""
    monkeypatch.setenv("LOCKGATE_SECOND_FACTOR", "platform_admin")
    with (
        Service() as service,
        # Browsers have passkeys for names, and not for addresses.
        Serving(document(tmp_path, service.url), "--bind", "localhost:0") as serving,
        chromium() as browser,
    ):
        page = browser.new_page(base_url=serving.console)
        devtools = page.context.new_cdp_session(page)
        devtools.send("WebAuthn.enable")
        devtools.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "internal",
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": True,
                }
            },
        )
        set_up(page, serving.set_up_link())
        name_and_password(page)
        yield page


def name_and_password(page: Page) -> None:
    """The first of two steps, after which nobody is signed in."""
    page.goto("/account/login/")
    page.fill("#id_login", "ada@example.com")
    page.fill("#id_password", PASSWORD)
    page.click("main button:text-is('Sign in')")


def add_passkey(page: Page) -> None:
    page.goto("/account/factors/webauthn/add/")
    # Whoever finds a session open cannot add one.
    page.fill("#id_password", PASSWORD)
    page.click("main button")
    page.wait_for_selector("#mfa_webauthn_add")
    assert_accessible(page)
    page.fill("#id_name", "laptop")
    page.click("#mfa_webauthn_add")
    page.wait_for_url("**/account/factors/recovery-codes/**")


def test_a_passkey_is_added_and_stands_in_for_the_password(page: Page) -> None:
    watched = Watched()
    watched.add(page)
    # Before there is a second factor, an admin sees nothing else.
    page.wait_for_url("**/account/factors/")
    assert "you need a second factor before anything else" in page.inner_text("main")
    page.goto("/users/")
    assert page.url.endswith("/account/factors/")
    assert page.evaluate("fetch('/api/v1/users').then(answer => answer.status)") == 403
    add_passkey(page)
    page.goto("/users/")
    assert page.inner_text("h1") == "Users"
    page.goto("/account/factors/webauthn/")
    assert_accessible(page)
    assert "laptop" in page.inner_text("main table")
    page.click("text=Sign out")
    page.goto("/account/login/")
    assert_accessible(page)
    page.click("#passkey_login")
    page.wait_for_selector("h1:text-is('Overview')")
    assert [text for text in watched.complaints if "403" not in text] == []


def test_a_passkey_is_asked_for_after_the_password(page: Page) -> None:
    add_passkey(page)
    page.click("text=Sign out")
    name_and_password(page)
    page.wait_for_selector("h1:text-is('Your second factor')")
    assert_accessible(page)
    page.goto("/users/")
    assert page.inner_text("h1") == "Your second factor"
    page.click("#mfa_webauthn_authenticate")
    page.wait_for_selector("h1:text-is('Overview')")


def test_a_browser_that_gives_no_passkey_says_so_and_lets_nobody_in(page: Page) -> None:
    page.click("text=Sign out")
    page.goto("/account/login/")
    page.click("#passkey_login")
    page.wait_for_selector("#passkey_told:visible", timeout=90_000)
    assert "Nothing was done" in page.inner_text("#passkey_told")
    page.goto("/users/")
    assert "/account/login/" in page.url
