"""H15, H16: what people and programs sign in with is kept nowhere, and is of no use when it is taken.

Rights that a reset or an invitation gave by accident were how admin accounts of peers were taken over; the
rules for those are tested beside the code, these look at the processes from outside.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import pytest
from control.people import PASSWORD
from control.serving import Browser, Serving, document
from load import free_port
from services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Path]:
    with Service() as service:
        yield document(tmp_path, service.url)


def test_no_password_token_or_link_is_kept_in_the_state_folder_or_printed(gateway: Path) -> None:
    with Serving(gateway) as serving:
        browser = serving.first_account()
        issued = browser.send("/tokens/", {"account": "siem", "scopes": ["audit:read"], "days": "1"}).text
        invited = browser.send("/users/", {"email": "bob@example.com", "role": "developer"}).text
        planted = [
            PASSWORD,
            re.findall(r"lg_[\w-]{30,}", issued)[0],
            re.findall(r"/link/([\w-]+)/", invited)[0],
        ]
        httpx.get(f"{serving.console}/audit/logs", headers={"Authorization": f"Bearer {planted[1]}"})
        httpx.post(f"{serving.console}/audit/logs", content=planted[0], headers={"Authorization": planted[1]})
        assert serving.stop() == 0
        said = "\n".join(serving.said)
    files = [path for path in (gateway.parent / "lockgate-state").rglob("*") if path.is_file()]
    assert any(path.name == "control.sqlite3" for path in files)
    for secret in planted:
        assert secret not in said
        assert not [path for path in files if secret.encode() in path.read_bytes()]


def test_guessing_a_password_is_throttled(gateway: Path) -> None:
    with Serving(gateway) as serving:
        serving.first_account()
        browser = Browser(serving.console)
        for _ in range(6):
            browser.send("/account/login/", {"login": "ada@example.com", "password": "wrong"})
        right = browser.send("/account/login/", {"login": "ada@example.com", "password": PASSWORD})
        assert "Too many failed login attempts" in right.text


def test_guessing_stays_throttled_when_another_process_answers(gateway: Path) -> None:
    guess = {"login": "ada@example.com", "password": "wrong"}
    bind = ("--bind", f"127.0.0.1:{free_port()}")
    with Serving(gateway, *bind) as serving:
        serving.first_account()
        for _ in range(5):
            Browser(serving.console).send("/account/login/", guess)
        assert serving.stop() == 0
    with Serving(gateway, *bind) as serving:
        right = Browser(serving.console).send("/account/login/", guess | {"password": PASSWORD})
        assert "Too many failed login attempts" in right.text


def test_another_site_cannot_act_in_somebodys_name(gateway: Path) -> None:
    with Serving(gateway) as serving:
        browser = serving.first_account()
        honest = browser.url
        browser.origin = "https://evil.example"
        refused = browser.send("/users/", {"email": "eve@example.com", "role": "developer"})
        assert (refused.status_code, "Nothing was changed" in refused.text) == (403, True)
        browser.origin = honest
        assert "eve@example.com" not in browser.get("/users/").text
