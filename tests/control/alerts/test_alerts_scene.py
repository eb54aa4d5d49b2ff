"""Scene 4, on call, in a real Chromium against the real processes.

A burst of stolen credentials becomes one alert, one click keeps its source out, the source is free again at
its time, and the audit API reports it.
"""

from __future__ import annotations

import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
)
from control.serving import Serving, document
from lockgate.state import State
from services import Service
from sites import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

pytestmark = NEEDS_CHROMIUM

ATTACKER, OTHER = "203.0.113.7", "198.51.100.9"
BURST = 500
PATIENCE = 30.0
SHOTS = os.environ.get("LOCKGATE_SHOTS")
"""A folder for pictures of the pages, for people to look at."""


@dataclass
class OnCall:
    """Somebody on call, with the console open."""

    console: str
    public: str
    state: Path
    page: Page
    watched: Watched = field(default_factory=Watched)

    def open(self, path: str) -> None:
        self.page.goto(self.console + path)

    def call(self, source: str, key: str) -> httpx.Response:
        headers = {"X-Forwarded-For": source, "X-Api-Key": key}
        return httpx.get(f"{self.public}/orders/1", headers=headers)

    def shoot(self, name: str) -> None:
        if SHOTS:
            for scheme, width in (("light", 1280), ("dark", 1280), ("light", 360)):
                self.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
                self.page.set_viewport_size({"width": width, "height": 900})
                self.page.screenshot(path=Path(SHOTS) / f"{name}-{scheme}-{width}.png", full_page=True)
            self.page.set_viewport_size({"width": 1280, "height": 900})
            self.page.emulate_media(color_scheme="light")


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """These see no database of their own."""


@pytest.fixture(scope="module")
def on_call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnCall]:
    folder = tmp_path_factory.mktemp("scene")
    with Service() as service:
        path = document(folder, service.url)
        # A proxy on this machine says who calls, so that the burst has a source of its own.
        listener = 'listeners: { public: { bind: "127.0.0.1:0", trusted_proxies: [127.0.0.1/32] } }'
        path.write_text(
            path.read_text()
            .replace('listeners: { public: { bind: "127.0.0.1:0" } }', listener)
            .replace("limit: 2, per: 1h", "limit: 200, per: 1h")
        )
        state = folder / "state"
        with Serving(path, "--state", state) as serving, chromium() as browser:
            page = browser.new_page()
            found = OnCall(serving.console, serving.public, state, page)
            found.watched.add(page)
            set_up(page, serving.set_up_link())
            sign_in(page, serving.console)
            yield found


def test_empty_pages_teach(on_call: OnCall) -> None:
    on_call.open("/alerts/")
    assert "No rule has fired" in on_call.page.inner_text("main")
    on_call.shoot("alerts-empty")
    on_call.open("/blocks/")
    assert "Nothing is blocked" in on_call.page.inner_text("main")


def test_a_burst_is_one_alert_one_click_blocks_it_ends_and_the_audit_api_reports_it(on_call: OnCall) -> None:
    _burst(on_call)
    alert = _one_alert(on_call)
    _one_click(on_call)
    _free_at_its_time(on_call)
    _reported(on_call)
    _resolved(on_call, alert)


def _burst(on_call: OnCall) -> None:
    """A partner calls; from elsewhere come wrong keys, and one that is right."""
    assert on_call.call(OTHER, KEY["X-Api-Key"]).status_code == 200
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda n: on_call.call(ATTACKER, f"stolen-{n}").status_code, range(BURST)))
    assert set(statuses) == {401}
    assert on_call.call(ATTACKER, KEY["X-Api-Key"]).status_code == 200


def _one_alert(on_call: OnCall) -> str:
    """One alert, seconds later, that counts all of it; its page says who is behind it."""
    page, ended = on_call.page, time.monotonic()
    while True:
        on_call.open("/alerts/")
        if page.locator(f"tbody td:text-is('{BURST}')").count():
            break
        assert time.monotonic() - ended < PATIENCE, page.inner_text("main")
    assert page.locator("tbody tr").count() == 1, page.inner_text("main")
    on_call.shoot("alerts")
    page.click("tbody a")
    _until(page, "Calls of this source were answered after it began, as shop (1): a credential may")
    text = _until(page, "it would have refused 1 call of 1 application (shop) that was answered")
    assert "Unauthorized access attempt: keys are being guessed" in text
    assert ATTACKER in text
    on_call.shoot("alert")
    return page.url


def _until(page: Page, wanted: str) -> str:
    """What a page says, once it says this: what was recorded last may be taken in a little later."""
    began = time.monotonic()
    while wanted not in (text := page.inner_text("main")):
        assert time.monotonic() - began < PATIENCE, text
        page.reload()
    return text


def _one_click(on_call: OnCall) -> None:
    """The node refuses that source and no other, for an hour."""
    page = on_call.page
    assert page.locator("#block-for").input_value() == "3600"
    page.click(f"button:has-text('Block {ATTACKER}')")
    page.wait_for_selector(".note.success")
    refused = on_call.call(ATTACKER, KEY["X-Api-Key"])
    assert refused.status_code == 403
    assert refused.json()["code"] == "source.blocked"
    assert 3_500 < int(refused.headers["Retry-After"]) <= 3_600
    assert on_call.call(OTHER, KEY["X-Api-Key"]).status_code == 200
    text = page.inner_text("main")
    assert f"The source {ATTACKER} is blocked" in text
    assert "acknowledged by ada@example.com" in text
    on_call.shoot("alert-blocked")
    on_call.open("/blocks/")
    assert ATTACKER in page.inner_text("tbody")
    on_call.shoot("blocks")


def _free_at_its_time(on_call: OnCall) -> None:
    """Nobody waits for an hour here: the same block, long enough to see that it ends by itself."""
    folder = State(on_call.state / "node")
    folder.block(ATTACKER, 5, "the same, shorter", who="ada@example.com")
    assert on_call.call(ATTACKER, KEY["X-Api-Key"]).status_code == 403
    began = time.monotonic()
    while on_call.call(ATTACKER, KEY["X-Api-Key"]).status_code == 403:
        assert time.monotonic() - began < PATIENCE
    assert folder.blocks() == []
    on_call.open("/blocks/")
    assert "Nothing is blocked" in on_call.page.inner_text("main")


def _reported(on_call: OnCall) -> None:
    """The audit API says what happened and what was done."""
    page = on_call.page
    on_call.open("/tokens/")
    page.fill("#id_account", "siem")
    page.check("input[value='audit:read']")
    page.click("main section button")
    token = re.search(r"lg_[\w-]{30,}", page.inner_text("main"))
    assert token is not None
    said = _audited(on_call.console, token[0])
    assert said["totals"]["security_violations"] == BURST
    sources = {one["value"]: one["count"] for one in said["breakdown"]["security_violations"]["source"]}
    assert sources == {ATTACKER: BURST}
    done = {one["action"]: one for one in said["actions"]}
    assert done["block.added"]["object"] == f"source {ATTACKER}"
    assert done["block.added"]["who"] == "ada@example.com"
    assert done["alert.acknowledged"]["after"] == "acknowledged"


def _resolved(on_call: OnCall, alert: str) -> None:
    page = on_call.page
    page.goto(alert)
    page.fill("#status-why", "a partner's scanner")
    page.click("button:has-text('Resolve')")
    page.wait_for_selector("text=resolved by ada@example.com")
    on_call.open("/alerts/")
    assert "Everything is resolved" in page.inner_text("main")


def _audited(console: str, token: str) -> dict[str, Any]:
    answer = httpx.post(
        f"{console}/audit/logs",
        content='{ "timeRange": "last_30_days", "metrics": "security_violations" }',
        headers={
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/x-www-form-urlencoded",
        },
    )
    said: dict[str, Any] = answer.json()
    return said


PAGES = ("/alerts/", "/alerts/?status=all", "/alerts/1/", "/blocks/", "/alerts/rules/")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible_and_not_wider_than_a_phone(on_call: OnCall, path: str, scheme: str) -> None:
    on_call.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    on_call.open(path)
    assert_accessible(on_call.page)
    on_call.page.set_viewport_size({"width": 360, "height": 800})
    assert_fits(on_call.page)
    on_call.page.set_viewport_size({"width": 1280, "height": 800})


def test_no_other_host_is_asked_and_no_policy_is_broken(on_call: OnCall) -> None:
    on_call.open("/alerts/rules/")
    on_call.shoot("rules")
    assert on_call.watched.elsewhere(on_call.console) == []
    assert on_call.watched.complaints == []
