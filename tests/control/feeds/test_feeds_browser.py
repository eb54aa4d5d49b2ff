"""Feeds and owners of APIs in a real Chromium: the worker fetches, and pages say what waits for whom."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from changing import CASES
from control.browser import NEEDS_CHROMIUM, chromium
from control.feeds.publisher import Publisher
from control.people import PASSWORD
from control.serving import Serving, document
from services import Service
from sites import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

pytestmark = NEEDS_CHROMIUM
PATIENCE = 60_000
PAGES = ["/owners/", "/owners/orders/", "/feeds/", "/feeds/threats/", "/changes/feed-threats-1/"]


@dataclass
class Site:
    """A console with a feed that brought something, and an API that has owners."""

    page: Page
    url: str

    def open(self, path: str) -> None:
        self.page.goto(f"{self.url}{path}")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    publisher = Publisher(folder)
    publisher.publish(networks=["192.0.2.0/24", "198.51.100.0/25", "2001:db8:7::/48"])
    with (
        Service() as service,
        publisher.service,
        pytest.MonkeyPatch.context() as patch,
        chromium() as browser,
    ):
        patch.setenv("LOCKGATE_WEBHOOK_PRIVATE", "127.0.0.0/8")
        path = document(folder, service.url)
        path.with_name("cases.yaml").write_text(CASES)
        with Serving(path) as serving:
            serving.first_account()
            page = browser.new_page()
            page.set_default_timeout(PATIENCE)
            site = Site(page, serving.console)
            site.open("/account/login/")
            page.fill("#id_login", "ada@example.com")
            page.fill("#id_password", PASSWORD)
            page.click("main button")
            page.wait_for_url(f"{serving.console}/")
            for headers in (KEY, KEY, {}):
                httpx.get(f"{serving.public}/orders/1", headers=headers)
            site.open("/owners/orders/")
            page.fill("#id_users", "ada@example.com")
            page.click("main form button")
            _set_up(site, publisher)
            yield site


def _set_up(site: Site, publisher: Publisher) -> None:
    site.open("/feeds/")
    page = site.page
    for field, text in (
        ("name", "threats"),
        ("source", publisher.url),
        ("public_key", publisher.public_key),
        ("owner", "security-team"),
    ):
        page.fill(f"#id_{field}", text)
    page.check("#id_is_automatic")
    page.click("main form button")
    # The worker fetches it by itself, and decides when the evidence is there.
    while not page.locator("text=waits for a person:").count():
        page.wait_for_timeout(500)
        page.reload()


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """These see no database of their own."""


def test_the_worker_brings_a_list_and_says_why_it_waits(site: Site) -> None:
    site.open("/feeds/threats/")
    text = site.page.inner_text("main")
    assert "192.0.2.0/24" in text
    # Three calls were recorded, and it asks for a thousand.
    assert re.search(r"It waits for a person: .*replay", text), text
    assert "nobody yet, so it waits for a person" in text
    site.page.click("main a:text-is('feed-threats-1')")
    text = site.page.inner_text("main")
    assert "feed:threats, ada@example.com" in text
    assert "nobody can give it" in text, "the one owner set the feed up"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible(site: Site, path: str, scheme: str) -> None:
    site.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    site.open(path)
    found = Axe().run(site.page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("width", [360, 1_280])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_not_wider_than_its_window(site: Site, path: str, width: int) -> None:
    site.page.set_viewport_size({"width": width, "height": 800})
    site.open(path)
    assert site.page.evaluate("document.documentElement.scrollWidth") <= width
