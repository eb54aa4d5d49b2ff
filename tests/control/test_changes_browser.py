"""Friday afternoon in a real Chromium: a policy is tightened, fixed, approved by another person, and live.

Then a key set without the live key is stopped by replay; forced past it, the guard takes it back by itself.
"""

from __future__ import annotations

import itertools
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import jwt
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
from control.people import PASSWORD
from control.serving import Serving
from cryptography.hazmat.primitives.asymmetric import ec
from lockgate.signing import sha256
from services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = NEEDS_CHROMIUM

PATIENCE = 25_000
APPLICATIONS = [f"app-{number}" for number in range(40)]
ISSUER = "https://issuer.example.com"
NEEDS = {"seconds": 1, "requests": 10, "callers": 0}
PLAN = {
    "shadow": NEEDS,
    "steps": [{"percent": 25, **NEEDS, "ratio_below": 20}],
    "live": NEEDS,
    "bake": NEEDS,
    "guard": {"metrics": ["server_error", "gateway_error", "refusal", "timeout"], "tolerable_rate": 0.1},
}


def key_set(key: ec.EllipticCurvePrivateKey, name: str) -> str:
    public = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return json.dumps({"keys": [public | {"kid": name, "alg": "ES256"}]})


def document(service: str, keys: str) -> str:
    rows = "\n".join(
        f"  {name}: {{ scopes: [orders:read], keys: [{{ sha256: {sha256(name.encode())} }}] }}"
        for name in APPLICATIONS
    )
    return f"""lockgate: 1
purposes: optional
node: {{ cores: 1 }}
listeners: {{ public: {{ bind: "127.0.0.1:0" }} }}
admin: {{ bind: "127.0.0.1:0" }}
recording: {{ directory: recordings }}
upstreams: {{ orders: {{ targets: ["{service}"] }} }}
applications:
{rows}
  robot: {{ scopes: [orders:read], client_ids: [robot] }}
apis:
  orders:
    versions:
      v1:
        base: /orders
        upstream: orders
        policies:
          # Who calls.
          - {{ id: key, kind: api_key }}
          - {{ id: fair-use, kind: rate_limit, limit: 100000, per: 1m }}
  packing:
    versions:
      v1:
        base: /packing
        upstream: orders
        policies:
          - {{ id: token, kind: jwt, issuer: "{ISSUER}", audience: gate, algorithms: [ES256], jwks: {keys} }}
"""


CASES = """gateway: gateway.yaml
cases:
  - name: without a key there is no order
    request: { url: /orders/7 }
    expect: { decision: refuse, code: api_key.missing }
  - name: without a token nothing is packed
    request: { url: /packing/7 }
    expect: { decision: refuse, code: jwt.missing }
"""


@dataclass
class Site:
    """The processes, and pages of two people."""

    serving: Serving
    ada: Page
    bob: Page
    gateway: Path
    other_keys: str
    token: str

    @contextmanager
    def traffic(self) -> Iterator[set[int]]:
        """Calls of all applications, one after the other, until the block ends; their statuses."""
        statuses: set[int] = set()
        stop = threading.Event()

        def call() -> None:
            with httpx.Client(base_url=self.serving.public, timeout=10) as client:
                for number, name in enumerate(itertools.cycle(APPLICATIONS)):
                    statuses.add(client.get("/orders/7", headers={"X-Api-Key": name}).status_code)
                    if number % 4 == 0:
                        bearer = {"Authorization": f"Bearer {self.token}"}
                        statuses.add(client.get("/packing/7", headers=bearer).status_code)
                    if stop.wait(0.005):
                        return

        thread = threading.Thread(target=call)
        thread.start()
        try:
            yield statuses
        finally:
            stop.set()
            thread.join()

    def api(self, method: str, path: str, body: dict[str, Any]) -> httpx.Response:
        """The admin API in the name of a service account."""
        token = self.service_token
        return httpx.request(
            method,
            f"{self.serving.console}/api/v1{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
        )

    service_token: str = ""


def person(browser: Browser, admin: Page, console: str, email: str, role: str) -> Page:
    """Invite somebody, who chooses a password and signs in."""
    admin.goto(f"{console}/users/")
    admin.fill("#id_email", email)
    admin.select_option("#id_role", role)
    admin.click("main section button")
    link = admin.locator(".note code, .note a").first.inner_text()
    page = browser.new_context().new_page()
    page.goto(link)
    page.fill("#id_password", PASSWORD)
    page.fill("#id_again", PASSWORD)
    page.click("main button")
    sign_in(page, console, email)
    return page


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("friday")
    live, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    token = jwt.encode(
        {"iss": ISSUER, "aud": "gate", "azp": "robot", "exp": 4_102_444_800},
        live,
        algorithm="ES256",
        headers={"kid": "live"},
    )
    path = folder / "gateway.yaml"
    with Service() as service:
        path.write_text(document(service.url, key_set(live, "live")))
        (folder / "cases.yaml").write_text(CASES)
        with Serving(path) as serving, chromium() as browser:
            ada = browser.new_context().new_page()
            set_up(ada, serving.set_up_link())
            sign_in(ada, serving.console)
            bob = person(browser, ada, serving.console, "bob@example.com", "approver")
            ada.goto(f"{serving.console}/tokens/")
            ada.fill("#id_account", "ci")
            ada.check("input[value='changes:write']")
            ada.check("input[value='changes:read']")
            ada.click("main section button")
            found = Site(serving, ada, bob, path, key_set(other, "next"), token)
            found.service_token = ada.locator(".note code").inner_text()
            for one in (ada, bob):
                one.set_default_timeout(PATIENCE)
            yield found


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """These see no database of their own."""


def begin(site: Site, name: str, purpose: str) -> Page:
    page = site.ada
    page.goto(f"{site.serving.console}/changes/")
    page.fill("#id_name", name)
    page.fill("#id_purpose", purpose)
    page.click("main section button")
    page.wait_for_url(f"**/changes/{name}/document/")
    answer = site.api("PATCH", f"/changes/{name}", {"rollout": {"plan": PLAN}, "attack": {"seconds": 60}})
    assert answer.status_code == 200, answer.text
    return page


def gather(page: Page, site: Site, name: str) -> None:
    page.goto(f"{site.serving.console}/changes/{name}/")
    page.click("text=Gather evidence")
    page.wait_for_selector("text=Evidence is gathered")
    page.wait_for_selector("text=Evidence was gathered at")


def draft(page: Page, site: Site) -> None:
    """A misspelt kind is told while it is typed; a limit and a scope are entered in forms."""
    text = page.input_value("#id_text")
    page.fill("#id_text", text.replace("kind: rate_limit", "kind: rate_limt"))
    page.wait_for_selector("#problems >> text=unknown policy kind")
    page.wait_for_selector("#problems >> text=did you mean")
    page.fill("#id_text", text)
    page.wait_for_selector("#problems >> text=No problem")
    page.goto(f"{site.serving.console}/changes/tighten/document/")
    page.click("a:text-is('fair-use')")
    page.fill("#id_set-limit", "90000")
    page.click("text=Save in the draft")
    page.wait_for_selector("text=The policy fair-use is saved in the draft.")
    assert "# Who calls." in page.input_value("#id_text"), "comments stay"
    page.select_option("#id_scope", label="orders/v1")
    page.select_option("#id_kind", "require")
    page.click("text=Add a policy")
    page.fill("#id_id", "may-write")
    page.fill("#id_set-scopes", "orders:write")
    page.fill("#id_when", 'application.id == "app-7" || application.id == "app-8"')
    page.click("text=Save in the draft")
    page.wait_for_selector("text=The policy may-write is saved in the draft.")


def look_and_fix(page: Page, site: Site) -> None:
    """Two applications would be refused: one is let be, the other is told, and meant."""
    gather(page, site, "tighten")
    page.wait_for_selector("text=2 applications,")
    assert {"app-7", "app-8"} == set(page.locator("#impact ~ .scroll tbody strong").all_inner_texts())
    assert "unexpected" not in page.inner_text("main")
    page.goto(f"{site.serving.console}/changes/tighten/evidence/replay/")
    page.wait_for_selector(".replay >> text=Newly refused")
    page.goto(f"{site.serving.console}/changes/tighten/document/")
    page.click("a:text-is('may-write')")
    page.fill("#id_when", 'application.id == "app-7"')
    page.click("text=Save in the draft")
    gather(page, site, "tighten")
    page.click("text=Say what of it is meant")
    page.check("input[name=meant]")
    page.click("text=Expect what is ticked")
    # A rollout sees more calls than the recording has.
    page.click("text=Purpose and plan")
    page.fill("#id_owner", "orders-team")
    page.fill("#id_measure", "no order is read without the scope")
    page.fill("#id_newly_refused", "app-7")
    page.fill("#id_newly_refused_most", "10000")
    page.click("main button")
    gather(page, site, "tighten")


def test_a_policy_is_tightened_on_a_friday_afternoon(site: Site) -> None:
    with site.traffic():
        # What was recorded is on the disk a little later than it was answered.
        threading.Event().wait(2)
    page = begin(site, "tighten", "orders are read by those who may, and by nobody too often")
    draft(page, site)
    look_and_fix(page, site)
    page.wait_for_selector("text=authors do not approve")
    assert not page.is_visible("button:text-is('Roll out')")
    # Another person.
    site.bob.goto(f"{site.serving.console}/changes/tighten/")
    site.bob.fill("#id_why", "app-7 knows of it")
    site.bob.click("button:text-is('Approve')")
    site.bob.wait_for_selector("text=Nothing is missing: it may be rolled out.")
    assert not site.bob.is_visible("button:text-is('Roll out')"), "an approver rolls nothing out"
    with site.traffic() as statuses:
        page.reload()
        page.click("button:text-is('Roll out')")
        page.wait_for_url("**/rollout/")
        page.click("text=Pause")
        page.wait_for_selector(".verdict:has-text('paused')")
        page.click("text=Go on")
        page.wait_for_selector(".verdict:has-text('Last good')")
    assert statuses == {200, 403}
    page.goto(f"{site.serving.console}/changes/tighten/")
    page.wait_for_function("location.reload() || document.querySelector('.stage.live') !== null")
    # What is served is what the document says, and a revision to go back to is kept.
    assert "id: may-write" in site.gateway.read_text()
    page.goto(f"{site.serving.console}/revisions/")
    assert page.is_visible("td >> text=tighten")


def test_a_wrong_key_set_is_stopped_by_replay_and_forced_it_takes_itself_back(site: Site) -> None:
    served = site.gateway.read_text()
    page = begin(site, "new-keys", "the issuer has new keys")
    text = page.input_value("#id_text")
    start = text.index("jwks: ") + len("jwks: ")
    page.fill("#id_text", text[:start] + site.other_keys + " }\n")
    page.click("main >> text=Save")
    page.wait_for_selector("text=The document is saved.")
    gather(page, site, "new-keys")
    page.wait_for_selector("text=decided otherwise, and nothing was expected")
    assert page.is_visible("#impact ~ .scroll tbody >> text=robot")
    page.click("text=Break the glass")
    page.fill("#id_glass-reason", "the issuer says that its keys were stolen")
    with site.traffic() as statuses:
        page.click("button:has-text('Break the glass')")
        page.wait_for_url("**/rollout/")
        page.wait_for_selector("text=The glass was broken")
        page.wait_for_selector(".verdict.bad:has-text('Rolled back')")
    assert statuses == {200, 403}, "403 is of the change before"
    page.goto(f"{site.serving.console}/changes/new-keys/")
    page.wait_for_selector("text=change.break_glass")
    page.wait_for_selector("text=replay: failed")
    assert site.gateway.read_text() == served
    page.goto(f"{site.serving.console}/audit/?verify=1&action=change.")
    assert page.is_visible("text=entries hold")
    for action in ("change.approve", "change.rollout.begun", "change.break_glass", "change.rollout.ended"):
        assert page.is_visible(f"code:text-is('{action}')"), action


PAGES = [
    "/changes/",
    "/changes/new-keys/",
    "/changes/tighten/",
    "/changes/new-keys/document/",
    "/changes/new-keys/policy/?at=/apis/packing/versions/v1/policies/0",
    "/changes/new-keys/about/",
    "/changes/new-keys/expectation/",
    "/changes/new-keys/cases/",
    *(f"/changes/new-keys/evidence/{step}/" for step in ("check", "test", "attack", "replay")),
    "/rollout/",
    "/revisions/",
]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible_and_not_wider_than_a_phone_and_asks_no_other_host(
    site: Site, path: str
) -> None:
    page, watched = site.bob.context.new_page(), Watched()
    watched.add(page)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(site.serving.console + path)
        assert_accessible(page)
        page.set_viewport_size({"width": 360, "height": 800})
        assert_fits(page)
    assert watched.elsewhere(site.serving.console) == []
    assert watched.complaints == []
    page.close()
