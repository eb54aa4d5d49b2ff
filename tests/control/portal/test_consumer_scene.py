"""Scene 3, a consumer, in a real Chromium against the real processes.

Somebody signs up, makes an application, subscribes, is approved, gets a key, calls the API from its page,
hits a limit, sees the exception with its remedy, rotates the key with overlap, reports a problem, and gets
an answer.
"""

from __future__ import annotations

import queue
import re
import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from control.browser import NEEDS_CHROMIUM, Watched, chromium, sign_in
from control.people import PASSWORD
from control.portal.conftest import reply
from control.portal.shop import OPENAPI
from control.serving import Serving
from load import free_port
from services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = NEEDS_CHROMIUM

LIMIT = 3
PATIENCE = 30.0
TRY = "/portal/apis/orders/versions/v2/operations/getOrder/"
DOCUMENT = """lockgate: 1
purposes: optional
listeners: {{ public: {{ bind: "127.0.0.1:0" }} }}
admin: {{ bind: "127.0.0.1:0" }}
recording: {{ directory: recordings }}
upstreams: {{ service: {{ targets: ["{service}"] }} }}
apis:
  orders:
    title: Orders
    versions:
      v2:
        openapi: openapi/orders-v2.yaml
        base: /sales/v2
        upstream: service
        policies:
          - {{ id: key, kind: api_key }}
          - {{ id: may-read, kind: require, scopes: [orders:read] }}
          - id: gold-rate
            kind: rate_limit
            limit: {limit}
            per: 1h
            when: "'plan:gold' in application.roles"
"""


class Mailbox:
    """A mail server that keeps what it is given."""

    def __init__(self) -> None:
        self._letters: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._server = Controller(self, hostname="127.0.0.1", port=free_port())

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - asked for
        self._letters.put(envelope.content.decode())
        return "250 OK"

    def link(self) -> str:
        """The link in the next letter."""
        found = re.search(r"https?://\S+", self._letters.get(timeout=PATIENCE))
        assert found is not None
        return found[0]

    def __enter__(self) -> int:
        self._server.start()
        return int(self._server.port)

    def __exit__(self, *_: object) -> None:
        self._server.stop()


@dataclass
class Stage:
    """The running processes, somebody new, and the admin."""

    serving: Serving
    mailbox: Mailbox
    dora: Page
    ada: Page
    watched: Watched = field(default_factory=Watched)

    def open(self, page: Page, path: str) -> None:
        page.goto(self.serving.console + path)

    def call(self, key: str) -> int:
        """A call of a program that has a key."""
        answer = httpx.get(f"{self.serving.public}/sales/v2/orders/1", headers={"X-Api-Key": key})
        return answer.status_code

    def until(self, page: Page, path: str, text: str) -> None:
        """Look at a page until it says something: recordings are read while they are written."""
        end = time.monotonic() + PATIENCE
        while True:
            self.open(page, path)
            if text in (said := page.inner_text("main")):
                return
            assert time.monotonic() < end, said


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """These see no database of their own."""


@pytest.fixture(autouse=True)
def _unknown() -> None:
    """Nor a document."""


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    home = tmp_path / "config"
    home.mkdir()
    shutil.copytree(OPENAPI, home / "openapi")
    mailbox = Mailbox()
    with mailbox as port, Service(reply) as service:
        monkeypatch.setenv("LOCKGATE_MAIL", f"smtp://127.0.0.1:{port}")
        monkeypatch.setenv("LOCKGATE_MAIL_FROM", "lockgate@example.com")
        monkeypatch.setenv("LOCKGATE_SIGN_UP", "open")
        path = home / "gateway.yaml"
        path.write_text(DOCUMENT.format(service=service.url, limit=LIMIT))
        with Serving(path) as serving, chromium() as browser:
            serving.first_account()
            dora, ada = (browser.new_context().new_page() for _ in range(2))
            found = Stage(serving, mailbox, dora, ada)
            for page in (dora, ada):
                found.watched.add(page)
            sign_in(ada, serving.console)
            _make_plan(found)
            yield found


def test_from_signing_up_to_an_answer(stage: Stage) -> None:
    _sign_up(stage)
    _make_application(stage)
    _subscribe_and_be_approved(stage)
    key = _get_a_key(stage)
    _call_until_the_limit(stage, key)
    _see_the_exception(stage)
    _rotate(stage, key)
    _report_and_be_answered(stage)
    # What a browser says of an answer that is an error is meant.
    assert [text for text in stage.watched.complaints if "429" not in text] == []


def _make_plan(stage: Stage) -> None:
    stage.open(stage.ada, "/plans/")
    for name, text in (("name", "gold"), ("title", "Gold"), ("apis", "orders"), ("scopes", "orders:read")):
        stage.ada.fill(f"#id_{name}", text)
    stage.ada.fill("#id_rate_limit", str(LIMIT))
    stage.ada.fill("#id_rate_per", "1h")
    stage.ada.click("text=Make the plan")
    assert "holds callers to these limits" in stage.ada.inner_text("main")


def _sign_up(stage: Stage) -> None:
    """By a letter, which alone makes the account."""
    page = stage.dora
    stage.open(page, "/portal/")
    page.get_by_role("link", name="Make an account").click()
    page.fill("#id_email", "dora@example.com")
    page.click("main button")
    page.goto(stage.mailbox.link())
    page.fill("#id_name", "Dora")
    page.fill("#id_password", PASSWORD)
    page.fill("#id_again", PASSWORD)
    page.click("main button")
    sign_in(page, stage.serving.console, "dora@example.com")
    assert page.url == f"{stage.serving.console}/portal/"
    assert "Welcome, Dora" in page.inner_text("main")


def _make_application(stage: Stage) -> None:
    page = stage.dora
    page.get_by_role("link", name="make one").click()
    page.fill("#id_team_name", "web")
    page.fill("#id_team_title", "Web team")
    page.click("text=Make the team")
    page.fill("#id_name", "web-shop")
    page.fill("#id_title", "Web shop")
    page.click("text=Make the application")


def _subscribe_and_be_approved(stage: Stage) -> None:
    page, ada = stage.dora, stage.ada
    page.fill("#id_reason", "for the new page")
    page.get_by_role("button", name="Subscribe").click()
    assert "Gold was asked for" in page.inner_text("main")
    stage.open(ada, "/requests/")
    assert "for the new page" in ada.inner_text("main")
    ada.fill("[name=answer]", "Welcome")
    ada.get_by_role("button", name="Approve").click()
    assert "Web shop is on Gold" in ada.inner_text("main")
    stage.open(page, "/portal/applications/web-shop/")
    assert "Welcome" in page.inner_text("main")


def _get_a_key(stage: Stage) -> str:
    page = stage.dora
    page.fill("#id_label", "production")
    page.click("text=Make it")
    return page.inner_text("#secret")


def _call_until_the_limit(stage: Stage, key: str) -> None:
    """From the page of the operation, and the answer of the last call says what to do."""
    page = stage.dora
    stage.open(page, TRY)
    page.fill("#key", key)
    for number in range(LIMIT + 1):
        wanted = "200 OK" if number < LIMIT else "429"
        with page.expect_response(lambda answer: answer.url.endswith("/try/")):
            page.click(".try button")
        page.wait_for_selector(f"#answer .note:has-text('{wanted}')")
    assert "wait as long as Retry-After says" in page.inner_text("#answer")


def _see_the_exception(stage: Stage) -> None:
    page = stage.dora
    stage.until(page, "/portal/exceptions/", "rate_limit.exceeded")
    said = page.inner_text("article:has-text('rate_limit.exceeded')")
    assert "What to do: wait as long as Retry-After says" in said
    assert "web-shop" in said
    stage.until(page, "/portal/", "Too many requests, 1 of web-shop")


def _rotate(stage: Stage, old: str) -> None:
    """The old key works on. The limit is the application's: both keys are known, and both call too often."""
    page = stage.dora
    stage.open(page, "/portal/applications/web-shop/")
    assert old not in page.content()
    page.get_by_role("link", name="Rotate").click()
    page.fill("#id_overlap_hours", "24")
    page.get_by_role("button", name="Rotate").click()
    new = page.inner_text("#secret")
    assert new != old
    assert [stage.call(key) for key in (old, new, f"{new}x")] == [429, 429, 401]


def _report_and_be_answered(stage: Stage) -> None:
    page, ada = stage.dora, stage.ada
    stage.open(page, "/portal/apis/orders/")
    page.get_by_role("link", name="Report a problem").first.click()
    page.fill("#id_title", "Three calls an hour are few")
    page.fill("#id_text", "The page asks **once** a minute.")
    page.click("main form button")
    page.wait_for_url("**/portal/feedback/*/")
    mine = page.url

    stage.open(ada, "/feedback/")
    ada.get_by_role("link", name="Three calls an hour are few").click()
    ada.fill("#id_text", "You are right: ask for the plan of shops.")
    ada.select_option("#id_state", "solved")
    ada.get_by_role("button", name="Answer").click()

    page.goto(f"{stage.serving.console}/portal/notifications/")
    assert "Three calls an hour are few" in page.inner_text("main")
    page.goto(mine)
    assert "ask for the plan of shops" in page.inner_text("main")
