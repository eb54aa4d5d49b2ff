"""Write the pictures of console and portal in `docs/images`, from the shop of `make demo`.

It needs a Chromium: `scripts/install-chromium` installs one.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from control.browser import MISSING, chromium, program, sign_in

from examples.shop.people import People, people
from examples.shop.served import ServedShop
from examples.shop.traffic import Traffic, calls_of_the_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

    from examples.shop.people import Person

FOLDER = Path(__file__).parents[2] / "docs" / "images"
MOST_BYTES = 200_000
PATIENCE = 180.0
WIDTH = 1280
PICTURES = (
    ("console", "sam", "/", 1080),
    ("change", "agnes", "/changes/paid-forecasts/", 900),
    ("rollout", "sam", "/rollout/", 760),
    ("alerts", "sam", "/alerts/", 760),
    ("portal", "dora", "/portal/", 760),
)
"""File, who looks, page, and how high the window is."""


def main() -> int:
    """Let the shop be busy for a while, and look at it."""
    if program() is None:
        print(MISSING, file=sys.stderr)
        return 2
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lockgate-pictures-")))
        shop = stack.enter_context(ServedShop(folder, 0))
        known = people()
        at_work = stack.enter_context(People(shop.gateway, folder / "recording", known))
        keys = shop.keys | at_work.keys
        stack.enter_context(Traffic(shop.address, keys, shop.tokens, 7, 30))
        until(lambda: settled(at_work))
        stack.enter_context(Traffic(shop.address, keys, shop.tokens, 7, 6, mix=calls_of_the_app))
        browser = stack.enter_context(chromium())
        pages = {person.name.lower(): signed_in(browser, shop.gateway.console, person) for person in known}
        until(lambda: says(pages["dora"], shop.gateway.console, "/portal/", "Rate limit exceeded"))
        for name, who, path, height in PICTURES:
            page = pages[who]
            page.set_viewport_size({"width": WIDTH, "height": height})
            page.goto(shop.gateway.console + path)
            file = FOLDER / f"{name}.png"
            page.screenshot(path=file)
            size = file.stat().st_size
            print(f"{file.name}: {size:,} bytes")
            if size > MOST_BYTES:
                print(f"error: {file} has more than {MOST_BYTES:,} bytes", file=sys.stderr)
                return 1
    return 0


def settled(at_work: People) -> bool:
    """Whether the sample people have done what they do; prints it."""
    for note in at_work.notes():
        print(note, flush=True)
    return at_work.is_settled


def signed_in(browser: Browser, console: str, person: Person) -> Page:
    """A window of somebody."""
    page = browser.new_context(color_scheme="light").new_page()
    sign_in(page, console, person.email, person.password)
    return page


def says(page: Page, console: str, path: str, text: str) -> bool:
    """Whether a page says something by now."""
    page.goto(console + path)
    return text in page.inner_text("main")


def until(ready: Callable[[], bool]) -> None:
    """Let traffic flow."""
    end = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > end:
            message = "the shop has not come so far"
            raise TimeoutError(message)
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
