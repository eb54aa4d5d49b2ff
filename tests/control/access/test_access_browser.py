"""From a team to a rotated key in a real Chromium, against the real processes; and how the pages look."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
import pytest
from control.browser import NEEDS_CHROMIUM, Watched, assert_accessible, assert_fits, chromium, sign_in
from control.people import PASSWORD
from control.serving import Browser, Serving
from services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import Page

pytestmark = NEEDS_CHROMIUM
DOCUMENT = """lockgate: 1
purposes: optional
listeners: {{ public: {{ bind: "127.0.0.1:0" }} }}
admin: {{ bind: "127.0.0.1:0" }}
upstreams: {{ service: {{ targets: ["{service}"] }} }}
applications: {{ partner: {{ title: A partner of the document }} }}
apis:
  orders:
    versions:
      v1:
        base: /orders
        upstream: service
        policies:
          - {{ id: key, kind: api_key }}
          - {{ id: may-read, kind: require, scopes: [orders:read] }}
          - id: gold-rate
            kind: rate_limit
            limit: 100
            per: 1m
            when: "'plan:gold' in application.roles"
"""
PORTAL = ["/portal/applications/", "/portal/applications/web-shop/", "/portal/teams/web/"]
CONSOLE = ["/applications/", "/applications/web-shop/", "/plans/", "/plans/gold/", "/requests/"]


@dataclass
class Stage:
    """The running processes with two people who are signed in."""

    serving: Serving
    dora: Page
    olaf: Page
    watched: Watched = field(default_factory=Watched)

    def call(self, key: str) -> tuple[int, str]:
        """Status and reason code of a call with a key."""
        answer = httpx.get(f"{self.serving.public}/orders/1", headers={"X-Api-Key": key})
        return answer.status_code, "" if answer.is_success else answer.json()["code"]

    def open(self, page: Page, path: str) -> None:
        page.goto(self.serving.console + path)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("access")
    with Service() as service, Serving(_document(folder, service.url)) as serving, chromium() as browser:
        ada = serving.first_account()
        for email, role in (("dora@example.com", "developer"), ("olaf@example.com", "api_owner")):
            page = ada.send("/users/", {"email": email, "name": "", "role": role}).text
            link = re.search(r"https?://[^<]*(/link/[^<]*)", page)
            assert link is not None
            Browser(serving.console).send(link[1], {"password": PASSWORD, "again": PASSWORD})
        found = Stage(serving, _signed_in(browser, serving, "dora"), _signed_in(browser, serving, "olaf"))
        for window in (found.dora, found.olaf):
            found.watched.add(window)
        yield found


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """These see no database of their own."""


def test_from_a_team_to_a_rotated_key(stage: Stage) -> None:
    dora, olaf = stage.dora, stage.olaf
    stage.open(olaf, "/plans/")
    for name, text in (("name", "gold"), ("title", "Gold"), ("apis", "orders"), ("scopes", "orders:read")):
        olaf.fill(f"#id_{name}", text)
    olaf.fill("#id_rate_limit", "100")
    olaf.fill("#id_rate_per", "1m")
    olaf.click("text=Make the plan")
    assert "holds callers to these limits" in olaf.inner_text("main")

    stage.open(dora, "/portal/applications/")
    dora.fill("#id_team_name", "web")
    dora.fill("#id_team_title", "Web team")
    dora.click("text=Make the team")
    dora.fill("#id_name", "web-shop")
    dora.fill("#id_title", "Web shop")
    dora.click("text=Make the application")

    # The key is there at once, and opens nothing before the plan is approved.
    dora.fill("#id_label", "production")
    dora.click("text=Make it")
    old = dora.inner_text("#secret")
    assert stage.call(old) == (403, "require.scope")
    dora.fill("#id_reason", "for the new page")
    dora.get_by_role("button", name="Subscribe").click()
    assert "Gold was asked for" in dora.inner_text("main")

    stage.open(olaf, "/requests/")
    assert "for the new page" in olaf.inner_text("main")
    olaf.fill("[name=answer]", "Welcome")
    olaf.get_by_role("button", name="Approve").click()
    assert "Web shop is on Gold" in olaf.inner_text("main")
    assert stage.call(old) == (200, "")

    stage.open(dora, "/portal/applications/web-shop/")
    assert "Welcome" in dora.inner_text("main")
    assert old not in dora.content()
    dora.get_by_role("link", name="Rotate").click()
    dora.fill("#id_overlap_hours", "24")
    dora.get_by_role("button", name="Rotate").click()
    new = dora.inner_text("#secret")
    assert [stage.call(key)[0] for key in (old, new)] == [200, 200]

    dora.get_by_role("link", name="revoke the old one").click()
    row = dora.get_by_role("row").filter(has_text=f"{old[:10]}…")
    row.get_by_role("button", name="Revoke").click()
    assert "is refused from now on, for ever" in dora.inner_text("main")
    assert stage.call(old) == (401, "api_key.invalid")
    assert stage.call(new) == (200, "")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible(stage: Stage, scheme: str) -> None:
    for page, paths in ((stage.dora, PORTAL), (stage.olaf, CONSOLE)):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for path in paths:
            stage.open(page, path)
            # What is folded is looked at, too.
            page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
            assert_accessible(page)


@pytest.mark.parametrize("width", [1280, 360])
def test_pages_are_not_wider_than_their_window(stage: Stage, width: int) -> None:
    for page, paths in ((stage.dora, PORTAL), (stage.olaf, CONSOLE)):
        page.set_viewport_size({"width": width, "height": 800})
        for path in paths:
            stage.open(page, path)
            page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
            assert_fits(page)


def test_no_other_host_is_asked_and_no_policy_is_broken(stage: Stage) -> None:
    for page, paths in ((stage.dora, PORTAL), (stage.olaf, CONSOLE)):
        for path in paths:
            stage.open(page, path)
    assert stage.watched.elsewhere(stage.serving.console) == []
    assert stage.watched.complaints == []


def _signed_in(browser: Chromium, serving: Serving, who: str) -> Page:
    page = browser.new_context().new_page()
    sign_in(page, serving.console, f"{who}@example.com")
    return page


def _document(folder: Path, service: str) -> Path:
    path = folder / "config" / "gateway.yaml"
    path.parent.mkdir()
    path.write_text(DOCUMENT.format(service=service))
    return path
