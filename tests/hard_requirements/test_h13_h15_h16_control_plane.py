"""H13, H15, H16, for what people and programs give the console: looked up as hashes, and kept nowhere.

After credentials that reached a query as text (LiteLLM CVE-2026-42208), secrets that came back in errors and
dumps, and resets by which accounts of admins were taken over.
"""

from __future__ import annotations

import re
import sqlite3
import stat
from typing import TYPE_CHECKING

import httpx
import pytest
from control.people import PASSWORD
from control.serving import Browser, Serving, document
from services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SQL = [
    "' OR '1'='1",
    "lg_' OR 1=1 --",
    'lg_" UNION SELECT sha256 FROM accounts_accesstoken --',
    "lg_%",
    "lg_\\",
    "lg_;DROP TABLE accounts_user;--",
    "lg_" + "x" * 5_000,
]
PLANTED = {
    "LOCKGATE_MAIL": "smtp+starttls://lockgate:planted-mail-password@127.0.0.1:1",
    "LOCKGATE_MAIL_FROM": "lockgate@example.com",
    "LOCKGATE_OIDC_ISSUER": "http://127.0.0.1:1",
    "LOCKGATE_OIDC_CLIENT_ID": "lockgate",
    "LOCKGATE_OIDC_CLIENT_SECRET": "planted-client-secret",
    "LOCKGATE_OIDC_ROLES": "staff=developer",
    "LOCKGATE_SIGN_UP": "open",
}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Path]:
    with Service() as service:
        yield document(tmp_path, service.url)


def database(gateway: Path) -> sqlite3.Connection:
    return sqlite3.connect(gateway.parent / "lockgate-state" / "control.sqlite3")


def test_sql_in_what_somebody_signs_in_with_is_inert(gateway: Path) -> None:
    with Serving(gateway) as serving:
        serving.first_account()
        for said in SQL:
            headers = {"Authorization": f"Bearer {said}"}
            for path in ("/api/v1/me", "/audit/logs"):
                assert httpx.get(serving.console + path, headers=headers).status_code == 401
            form: dict[str, str | list[str]] = {"login": f"ada@example.com{said}", "password": said}
            assert "Sign out" not in Browser(serving.console).send("/account/login/", form).text
            assert httpx.get(f"{serving.console}/link/{said[:50]}/").status_code in {400, 404}
        with database(gateway) as rows:
            assert rows.execute("SELECT count(*) FROM accounts_user").fetchone() == (1,)


def test_a_token_is_found_by_its_hash_and_lies_nowhere(gateway: Path) -> None:
    with Serving(gateway) as serving:
        page = serving.first_account().send(
            "/tokens/", {"account": "siem", "scopes": ["audit:read"], "days": "1"}
        )
        token = re.findall(r"lg_[\w-]{30,}", page.text)[0]
        assert httpx.get(
            f"{serving.console}/api/v1/me", headers={"Authorization": f"Bearer {token}"}
        ).is_success
        for close in (token[:-1], f"{token}x", token.upper(), token[:10]):
            headers = {"Authorization": f"Bearer {close}"}
            assert httpx.get(f"{serving.console}/api/v1/me", headers=headers).status_code == 401
        with database(gateway) as rows:
            assert token not in "\n".join(rows.iterdump())


def test_secrets_of_the_installation_appear_nowhere_when_things_go_wrong(
    gateway: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in PLANTED.items():
        monkeypatch.setenv(name, text)
    with Serving(gateway) as serving:
        browser = serving.first_account()
        made = browser.send(
            "/channels/",
            {
                "kind": "pagerduty",
                "name": "on-call",
                "routing_key": "planted0routing0key0000000000000",
                "topics": ["alert"],
            },
        )
        assert "on-call" in made.text
        # Nobody is at the provider, nor at the mail server.
        answers = [
            browser.send("/account/login/", {}).text,
            Browser(serving.console).send("/account/provider/", {}).text,
            Browser(serving.console).send("/account/forgotten/", {"email": "ada@example.com"}).text,
            httpx.get(f"{serving.console}/account/provider/oidc/?code=x&state=y", follow_redirects=True).text,
            browser.get("/channels/1/").text,
            browser.get("/api/v1/channels").text,
        ]
        serving.wait_for("a letter was not taken")
        assert serving.stop() == 0
        said = "\n".join([*answers, *serving.said])
    with database(gateway) as rows:
        kept = "\n".join(rows.iterdump())
    for planted in ("planted-mail-password", "planted-client-secret", "planted0routing0key", PASSWORD):
        assert planted not in said
        assert planted not in kept


def test_what_is_kept_is_for_its_owner_alone(gateway: Path) -> None:
    with Serving(gateway) as serving:
        serving.first_account()
        assert serving.stop() == 0
    state = gateway.parent / "lockgate-state"
    found = [state, *state.rglob("*")]
    assert len(found) > 5
    assert [path for path in found if stat.S_IMODE(path.lstat().st_mode) & 0o077] == []


def test_a_link_changes_a_password_and_neither_role_nor_second_factor(gateway: Path) -> None:
    with Serving(gateway) as serving:
        admin = serving.first_account()
        invited = admin.send("/users/", {"email": "bob@example.com", "role": "developer"}).text
        path = re.findall(r"/link/[\w-]+/", invited)[0]
        chosen: dict[str, str | list[str]] = {"password": PASSWORD, "again": PASSWORD}
        # What nobody asked for is not taken.
        Browser(serving.console).send(path, chosen | {"role": "platform_admin", "is_active": "on"})
        bob = Browser(serving.console)
        bob.send("/account/login/", {"login": "bob@example.com", "password": PASSWORD})
        assert bob.get("/api/v1/me").json()["who"] == "bob@example.com"
        assert bob.get("/users/").status_code == 403
        assert Browser(serving.console).get(path).status_code == 404
        with database(gateway) as rows:
            roles = dict(rows.execute("SELECT email, role FROM accounts_user"))
        assert roles == {"ada@example.com": "platform_admin", "bob@example.com": "developer"}
