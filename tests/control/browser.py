"""A real Chromium, without any host but this machine."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from control.people import PASSWORD
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

MISSING = "there is no Chromium here; scripts/install-chromium installs one"
_QUIET = [
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def program() -> str | None:
    """Where Chromium is."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


NEEDS_CHROMIUM: list[pytest.MarkDecorator] = [
    pytest.mark.slow,
    pytest.mark.skipif(program() is None, reason=MISSING),
    # Playwright's own loop outlives the fixtures that it closes.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
"""The marks of tests that start one."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start one."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=[*_QUIET, *sandbox])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watched:
    """What pages asked for, and what the browser complained of."""

    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def add(self, page: Page) -> None:
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def elsewhere(self, own: str) -> list[str]:
        """What was asked of other hosts."""
        return [url for url in self.asked if not url.startswith(own)]


def set_up(page: Page, link: str, email: str = "ada@example.com", password: str = PASSWORD) -> None:
    """Make the first account, by the link of a first start."""
    page.goto(link)
    for name, text in {"email": email, "name": "Ada", "password": password, "again": password}.items():
        page.fill(f"#id_{name}", text)
    page.click("main button")


def sign_in(page: Page, console: str, email: str = "ada@example.com", password: str = PASSWORD) -> None:
    """Sign in, without a mouse."""
    page.goto(f"{console}/account/login/")
    page.focus("#id_login")
    page.keyboard.type(email)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Sign out")


def assert_accessible(page: Page) -> None:
    """Axe has nothing to say about a page."""
    found: Any = Axe().run(page)
    assert found.violations_count == 0, f"{page.url}: {found.generate_report()}"


def assert_fits(page: Page) -> None:
    """Nothing is wider than the window."""
    assert page.viewport_size is not None
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"], page.url


def weight(page: Page) -> int:
    """How many bytes a page and what it loads have."""
    asked = "['navigation', 'resource'].flatMap(type => performance.getEntriesByType(type))"
    return int(page.evaluate(f"{asked}.reduce((sum, one) => sum + one.decodedBodySize, 0)"))
