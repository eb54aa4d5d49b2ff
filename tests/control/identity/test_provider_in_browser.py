"""Signing in with a real OpenID Connect provider on another port, through a real Chromium."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from control.browser import NEEDS_CHROMIUM, chromium, set_up
from control.identity.provider import CLIENT_ID, CLIENT_SECRET
from control.identity.provider import PASSWORD as THERE
from control.people import PASSWORD
from control.serving import Serving, document
from load import free_port
from services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """These see no database of their own."""


class Gate:
    """A console beside a provider, and a browser that forgets everything with each `page`."""

    def __init__(self, browser: Browser, serving: Serving, provider: str) -> None:
        self.browser, self.url, self.provider = browser, serving.console, provider
        self.set_up = serving.set_up_link()
        self.asked: list[str] = []

    def page(self) -> Page:
        page = self.browser.new_context(base_url=self.url).new_page()
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto("/account/login/")
        return page

    def through(self, name: str) -> Page:
        """Sign in with the provider, as somebody whom it knows."""
        page = self.page()
        page.click("text=Sign in with Example ID")
        self.there(page, name)
        return page

    def there(self, page: Page, name: str) -> None:
        page.wait_for_selector("h1:text-is('Provider')")
        page.fill("#id_username", name)
        page.fill("#id_password", THERE)
        page.click("button")
        page.wait_for_url(f"{self.url}/**")

    def here(self, page: Page, email: str) -> None:
        page.fill("#id_login", email)
        page.fill("#id_password", PASSWORD)
        page.click("main button:text-is('Sign in')")
        page.wait_for_selector("text=Sign out")


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    folder = tmp_path_factory.mktemp("provider")
    port, own = free_port(), free_port()
    issuer = f"http://127.0.0.1:{port}/o"
    redirect = f"http://127.0.0.1:{own}/account/provider/oidc/"
    patch = pytest.MonkeyPatch()
    for name, text in {
        "ISSUER": issuer,
        "CLIENT_ID": CLIENT_ID,
        "CLIENT_SECRET": CLIENT_SECRET,
        "TITLE": "Example ID",
        "ROLES": "gateway-admins=platform_admin, staff=developer",
    }.items():
        patch.setenv(f"LOCKGATE_OIDC_{name}", text)
    started = subprocess.Popen(
        [sys.executable, "-m", "control.identity.provider", str(port), redirect, folder],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        with (
            Service() as service,
            Serving(document(folder, service.url), "--bind", f"127.0.0.1:{own}") as serving,
            chromium() as browser,
        ):
            found = Gate(browser, serving, issuer)
            page = found.page()
            set_up(page, found.set_up)
            yield found
    finally:
        patch.undo()
        started.kill()
        started.communicate()


def test_somebody_of_a_group_has_its_role_and_the_code_is_bound_to_who_asked(gate: Gate) -> None:
    page = gate.through("ann")
    page.wait_for_selector("h1:text-is('Overview')")
    page.goto("/users/")
    assert "Platform admin" in page.inner_text("tr:has-text('ann@example.com')")
    sent = next(url for url in gate.asked if "/o/authorize/?" in url)
    assert "code_challenge_method=S256" in sent
    assert "state=" in sent
    again = gate.through("ann")
    again.goto("/audit/?action=account.signed_up")
    assert again.locator("tbody tr").count() == 1


def test_another_group_is_another_role(gate: Gate) -> None:
    page = gate.through("bob")
    page.goto("/users/")
    assert page.inner_text("h1") == "You may not do this"


def test_whoever_is_in_no_group_that_has_a_role_is_refused(gate: Gate) -> None:
    page = gate.through("mallory")
    assert "None of your groups at Example ID opens anything here." in page.inner_text("main")
    page.goto("/users/")
    assert "/account/login/" in page.url


def test_an_address_that_is_not_verified_opens_no_account(gate: Gate) -> None:
    page = gate.through("eve")
    assert "does not say that your e-mail address is verified" in page.inner_text("main")
    page.goto("/users/")
    assert "/account/login/" in page.url


def test_an_account_with_a_password_is_joined_by_its_owner_alone(gate: Gate) -> None:
    page = gate.through("ada")
    assert "There is an account of ada@example.com already" in page.inner_text("main")
    page.goto("/users/")
    assert "/account/login/" in page.url
    gate.here(page, "ada@example.com")
    page.goto("/account/factors/")
    page.click("text=Join your account to it")
    # Whoever finds a session open joins nobody to it.
    page.wait_for_selector("h1:text-is('Your password again')")
    page.fill("#id_password", PASSWORD)
    page.click("main button")
    page.wait_for_url(f"{gate.url}/account/factors/")
    assert "Joined as ada@example.com" in page.inner_text("main")
    gate.through("ada").wait_for_selector("text=Sign out")


def test_an_answer_that_nobody_asked_for_opens_nothing(gate: Gate) -> None:
    page = gate.page()
    page.goto("/account/provider/oidc/?code=stolen&state=none")
    assert "Signing in with Example ID did not work" in page.inner_text("main")
    page.goto("/users/")
    assert "/account/login/" in page.url
