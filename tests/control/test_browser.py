"""The console in a real Chromium: accessible in light and dark, whole at 360 px, silent to others."""

from __future__ import annotations

from dataclasses import dataclass, field
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
from control.serving import Serving, document
from services import Service
from sites import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

pytestmark = NEEDS_CHROMIUM

PAGES = [
    "/",
    "/exceptions/",
    "/analytics/models/",
    "/analytics/nodes/",
    "/apis/",
    "/apis/orders/v1/",
    "/policies/",
    "/recordings/",
    "/settings/",
    "/audit/?verify=1",
    "/users/",
    "/users/2/",
    "/tokens/",
    "/nodes/",
    "/account/factors/",
    "/account/reauthenticate/",
    "/account/password/",
    "/nope/",
]
WIDTHS = {"desk": 1280, "phone": 360}
MOST_BYTES = 100_000


@dataclass
class Console:
    """A page that is signed in, with what it asked for and what the browser complained of."""

    url: str
    public: str
    page: Page
    watched: Watched = field(default_factory=Watched)

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with (
        Service() as service,
        Serving(document(tmp_path_factory.mktemp("console"), service.url)) as serving,
        chromium() as browser,
    ):
        page = browser.new_page()
        found = Console(serving.console, serving.public, page)
        found.watched.add(page)
        set_up(page, serving.set_up_link())
        sign_in(page, serving.console)
        for headers in (KEY, KEY, KEY, {}):
            httpx.get(f"{serving.public}/orders/1", headers=headers)
        found.open("/users/")
        page.fill("#id_email", "bob@example.com")
        page.click("main section button")
        found.open("/tokens/")
        page.fill("#id_account", "siem")
        page.check("input[value='audit:read']")
        page.click("main section button")
        yield found


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """These see no database of their own."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible(console: Console, path: str, scheme: str) -> None:
    console.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    console.open(path)
    assert_accessible(console.page)


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_not_wider_than_its_window(console: Console, path: str, width: int) -> None:
    console.page.set_viewport_size({"width": width, "height": 800})
    console.open(path)
    assert_fits(console.page)


def test_no_other_host_is_asked_and_no_policy_is_broken(console: Console) -> None:
    for path in PAGES:
        console.open(path)
    assert console.watched.elsewhere(console.url) == []
    # The page that is not there is one.
    assert [text for text in console.watched.complaints if "404" not in text] == []


def test_the_overview_follows_what_happens_by_itself(console: Console) -> None:
    console.open("/")
    calls = console.page.locator("dt:text('Calls since the start') + dd")
    before = int(calls.inner_text())
    for _ in range(3):
        httpx.get(f"{console.public}/orders/1")
    console.page.wait_for_function(
        "wanted => Number(document.querySelector('.cards dd').textContent) === wanted", arg=before + 3
    )


def test_a_table_is_sorted_by_the_heading_that_is_pressed_by_mouse_and_keyboard(console: Console) -> None:
    console.open("/policies/")
    names, heading = console.page.locator("tbody td:first-child"), console.page.locator("th").nth(0)
    first = names.all_inner_texts()
    assert len(first) > 1
    heading.get_by_role("button", name="Policy").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert names.all_inner_texts() == sorted(first, key=str.lower)
    console.page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert names.all_inner_texts() == sorted(first, key=str.lower, reverse=True)
    assert_accessible(console.page)


def test_numbers_are_sorted_by_what_they_count(console: Console) -> None:
    console.open("/policies/")
    console.page.evaluate(
        """() => {
            const body = document.querySelector('tbody');
            body.append(...[...body.rows].map((row) => row.cloneNode(true)));
            body.querySelectorAll('td.number').forEach((cell, place) => {
                cell.textContent = ['1,200', '9', 'none', '75.5 %'][place % 4];
            });
        }"""
    )
    heading = console.page.get_by_role("columnheader", name="Routes")
    heading.get_by_role("button").click()
    found = console.page.locator("tbody td.number").all_inner_texts()
    assert found == ["9", "75.5 %", "1,200", "none"]


def test_a_page_can_be_used_without_a_mouse(console: Console) -> None:
    console.open("/")
    console.page.keyboard.press("Tab")
    assert console.page.evaluate("document.activeElement.textContent") == "Skip to content"
    console.page.keyboard.press("Enter")
    assert console.page.evaluate("document.activeElement.id") == "main"


def test_the_first_page_is_light(console: Console) -> None:
    console.open("/")
    assert 0 < weight(console.page) < MOST_BYTES
