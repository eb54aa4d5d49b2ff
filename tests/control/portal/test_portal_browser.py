"""The portal in a real Chromium: accessible in light and dark, whole at 360 px, silent to others."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from control.browser import (
    NEEDS_CHROMIUM,
    Watched,
    assert_accessible,
    assert_fits,
    chromium,
    set_up,
    sign_in,
    weight,
)
from control.portal import shop
from control.portal.conftest import reply
from control.serving import Serving
from services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

pytestmark = NEEDS_CHROMIUM

OPERATION = "/portal/apis/orders/versions/v2/operations/createOrder/"
PAGES = [
    "/portal/",
    "/portal/apis/",
    "/portal/search/?q=orders",
    "/portal/apis/orders/",
    "/portal/apis/orders/changelog/",
    "/portal/apis/orders/guides/index/",
    "/portal/apis/orders/versions/",
    "/portal/apis/orders/versions/v1/",
    "/portal/apis/orders/versions/v2/schemas/NewOrder/",
    OPERATION,
    "/portal/apis/plain/versions/v1/",
    "/portal/exceptions/",
    "/portal/usage/",
    "/portal/notices/",
    "/portal/status/",
    "/portal/learn/",
    "/portal/learn/limits/",
    "/portal/feedback/",
    "/portal/feedback/write/?kind=problem&api=orders&page=/portal/apis/orders/",
    "/portal/feedback/1/",
    "/feedback/?state=",
    "/feedback/1/",
]
WIDTHS = {"desk": 1280, "phone": 360}
MOST_BYTES = 100_000
PICTURES = os.environ.get("LOCKGATE_PICTURES")
"""A folder for screenshots, for people who look at them."""


@dataclass
class Portal:
    """A page that is signed in, with what it asked for and what the browser complained of."""

    url: str
    public: str
    page: Page
    watched: Watched = field(default_factory=Watched)

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    folder = tmp_path_factory.mktemp("portal")
    with (
        Service(reply) as service,
        Serving(shop.write(folder, service.url)) as serving,
        chromium() as browser,
    ):
        page = browser.new_page()
        found = Portal(serving.console, serving.public, page)
        found.watched.add(page)
        set_up(page, serving.set_up_link())
        sign_in(page, serving.console)
        seed = Path(__file__).with_name("seed.py")
        subprocess.run([sys.executable, seed, folder / "config" / "lockgate-state"], check=True)
        key = {"X-Api-Key": shop.KEY}
        for path in ("/sales/v2/orders", "/sales/v2/orders/1", "/sales/v2/nope", "/sales/v1/orders"):
            httpx.get(serving.public + path, headers=key)
        httpx.post(f"{serving.public}/sales/v2/orders", headers=key, json={})
        yield found


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """These see no database of their own."""


@pytest.fixture(autouse=True)
def _unknown() -> None:
    """Nor a document."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible(portal: Portal, path: str, scheme: str) -> None:
    portal.page.set_viewport_size({"width": WIDTHS["desk"], "height": 800})
    portal.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    portal.open(path)
    _picture(portal, path, scheme)
    assert_accessible(portal.page)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_not_wider_than_a_phone(portal: Portal, path: str) -> None:
    portal.page.set_viewport_size({"width": WIDTHS["phone"], "height": 800})
    portal.open(path)
    _picture(portal, path, "phone")
    assert_fits(portal.page)


def test_a_call_is_tried_in_place_and_the_key_stays_typed(portal: Portal) -> None:
    portal.page.set_viewport_size({"width": WIDTHS["desk"], "height": 800})
    portal.open("/portal/apis/orders/versions/v2/operations/getOrder/")
    portal.page.fill("#key", shop.KEY)
    portal.page.click(".try button")
    portal.page.wait_for_selector("#answer .note")
    assert "200 OK" in portal.page.inner_text("#answer")
    assert "<b>Ada</b>" in portal.page.inner_text("#answer pre")
    assert portal.page.input_value("#key") == shop.KEY
    assert portal.page.evaluate("document.activeElement.id") == "answer"
    _picture(portal, "tried", "light")


def test_an_exception_is_disputed_with_one_click(portal: Portal) -> None:
    portal.open("/portal/exceptions/")
    portal.page.click("article:has-text('require.scope') button")
    portal.page.wait_for_url("**/portal/feedback/*/")
    assert "POST /sales/v2/orders" in portal.page.inner_text("main")
    _picture(portal, "disputed", "light")


def test_a_page_is_found_and_read_without_a_mouse(portal: Portal) -> None:
    portal.open("/portal/apis/")
    portal.page.keyboard.press("Tab")
    portal.page.keyboard.press("Enter")
    assert portal.page.evaluate("document.activeElement.id") == "main"
    portal.page.keyboard.press("Tab")
    portal.page.keyboard.type("cancel")
    portal.page.keyboard.press("Enter")
    portal.page.wait_for_url("**/portal/search/?q=cancel")
    assert "DELETE /sales/v2/orders/{id}" in portal.page.inner_text("main")


def test_no_other_host_is_asked_and_no_policy_is_broken(portal: Portal) -> None:
    for path in PAGES:
        portal.open(path)
    assert portal.watched.elsewhere(portal.url) == []
    assert portal.watched.complaints == []


def test_the_first_page_is_light(portal: Portal) -> None:
    portal.open("/portal/")
    assert 0 < weight(portal.page) < MOST_BYTES


def _picture(portal: Portal, path: str, kind: str) -> None:
    if PICTURES:
        name = "".join(letter if letter.isalnum() else "-" for letter in path).strip("-")
        portal.page.screenshot(path=f"{PICTURES}/{kind}-{name}.png", full_page=True)
