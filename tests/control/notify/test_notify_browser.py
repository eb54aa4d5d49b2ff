"""Notifications, channels and the entrance in a real Chromium: accessible, and whole at 360 px."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from control.browser import (
    NEEDS_CHROMIUM,
    Watched,
    assert_accessible,
    assert_fits,
    chromium,
    set_up,
    sign_in,
)
from control.serving import Serving, document
from services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

pytestmark = NEEDS_CHROMIUM

OWN = "/portal/notifications/"
PAGES = ["/channels/", "/channels/1/", OWN, f"{OWN}preferences/", f"{OWN}webhooks/2/", "/account/factors/"]
OPEN = ["/account/login/", "/account/sign-up/", "/account/forgotten/", "/account/sign-up/none/"]
SETTINGS = {
    "LOCKGATE_MAIL": "smtp://127.0.0.1:1",
    "LOCKGATE_MAIL_FROM": "lockgate@example.com",
    "LOCKGATE_SIGN_UP": "open",
    "LOCKGATE_WEBHOOK_PRIVATE": "127.0.0.0/8",
    "LOCKGATE_OIDC_ISSUER": "http://127.0.0.1:1",
    "LOCKGATE_OIDC_CLIENT_ID": "lockgate",
    "LOCKGATE_OIDC_CLIENT_SECRET": "secret",
    "LOCKGATE_OIDC_ROLES": "staff=developer",
    "LOCKGATE_OIDC_TITLE": "Example ID",
}


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """These see no database of their own."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page that is signed in, with a channel that works and a webhook that was given up."""
    patch = pytest.MonkeyPatch()
    for name, text in SETTINGS.items():
        patch.setenv(name, text)
    with (
        Service() as service,
        Service(lambda _: b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n") as gone,
        Serving(document(tmp_path_factory.mktemp("notify"), service.url)) as serving,
        chromium() as browser,
    ):
        patch.undo()
        page = browser.new_page(base_url=serving.console)
        set_up(page, serving.set_up_link())
        sign_in(page, serving.console)
        page.goto("/channels/")
        page.fill("#id_name", "siem")
        page.fill("#id_url", f"{service.url}/hook")
        page.click("main section button")
        page.goto(f"{OWN}preferences/")
        page.fill("#id_name", "mine")
        page.fill("#id_url", gone.url)
        page.click("button:text-is('Add')")
        for path, wanted in (("/channels/1/", "delivered"), (f"{OWN}webhooks/2/", "Disabled on")):
            page.goto(path)
            page.click("text=Send a test")
            for _ in range(60):
                if wanted in page.inner_text("main"):
                    break
                # The worker delivers by itself.
                page.wait_for_timeout(500)
                page.reload()
            assert wanted in page.inner_text("main")
        yield page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible(page: Page, path: str, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(path)
    assert_accessible(page)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_not_wider_than_a_phone(page: Page, path: str) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto(path)
    assert_fits(page)


def test_what_happened_to_a_channel_is_told_and_leads_there(page: Page) -> None:
    page.goto(OWN)
    page.click("text=gets no deliveries any more")
    page.wait_for_url("**/notifications/preferences/")
    page.goto(OWN)
    assert "New" not in page.inner_text("main ul")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", OPEN)
def test_the_entrance_is_accessible_narrow_and_asks_no_other_host(page: Page, path: str, scheme: Any) -> None:
    browser = page.context.browser
    assert browser is not None
    watched = Watched()
    with browser.new_context(
        base_url=page.url.partition("/portal")[0].partition("/account")[0].partition("/channels")[0],
        color_scheme=scheme,
        viewport={"width": 360, "height": 800},
    ) as context:
        other = context.new_page()
        watched.add(other)
        other.goto(path)
        assert_accessible(other)
        assert_fits(other)
        own = other.url.removesuffix(path)
    assert watched.elsewhere(own) == []
    assert [text for text in watched.complaints if "404" not in text] == []
