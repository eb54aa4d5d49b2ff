"""H1, H2, H3: the console is not reached from outside by accident, has no default secret, and no open door.

After admin interfaces that listened everywhere without a password (Kong, CVE-2020-11710), a default token
that everybody knew (APISIX, CVE-2020-13945), and admin routes that forgot to ask (LiteLLM).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import TYPE_CHECKING

import httpx
import pytest
from control.serving import Serving, document
from load import free_port
from services import Service
from sites import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Run


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Path]:
    with Service() as service:
        yield document(tmp_path, service.url)


def test_the_console_listens_on_loopback_unless_it_is_told_otherwise(gateway: Path) -> None:
    with Serving(gateway) as serving:
        host = httpx.URL(serving.console).host
        assert ipaddress.ip_address(host).is_loopback
        port = httpx.URL(serving.console).port
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.2", port or 0), timeout=5.0)


@pytest.mark.parametrize("bind", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "gate.example.com:0"])
def test_a_console_that_others_could_reach_without_tls_does_not_start(
    gateway: Path, run: Run, bind: str
) -> None:
    result = run("serve", gateway, "--bind", bind, "--name", "gate.example.com")
    assert result.returncode == 2
    assert "could be reached from other machines without TLS" in result.stderr
    assert "listens on" not in result.stdout


def test_each_installation_draws_its_own_secret(gateway: Path, tmp_path: Path) -> None:
    secrets = set()
    for name in ("one", "other"):
        with Serving(gateway, "--state", tmp_path / name) as serving:
            assert serving.stop() == 0
        secrets.add((tmp_path / name / "secret.key").read_text())
    assert len(secrets) == 2


@pytest.mark.parametrize("secret", ["changeme", "", "edd1c9f034335f136f87ad84b625c8f1"])
def test_a_secret_that_others_may_know_does_not_start(gateway: Path, run: Run, secret: str) -> None:
    state = gateway.parent / "lockgate-state"
    state.mkdir(mode=0o700)
    (state / "secret.key").write_text(secret)
    (state / "secret.key").chmod(0o600)
    result = run("serve", gateway)
    assert result.returncode == 2
    assert "none that was drawn at random" in result.stderr


def test_there_is_no_account_before_somebody_makes_one(gateway: Path) -> None:
    with Serving(gateway) as serving:
        assert serving.set_up_link()
        for guess in ("guess", "x" * 43, "..%2f..%2f"):
            assert httpx.get(f"{serving.console}/set-up/{guess}/").status_code == 404


def test_every_admin_route_asks_for_a_credential(gateway: Path) -> None:
    with Serving(gateway) as serving:
        browser = serving.first_account()
        paths = browser.get("/api/v1/openapi.json").json()["paths"]
        asked = [
            (method, re.sub(r"\{\w+\}", "1", path)) for path, methods in paths.items() for method in methods
        ]
        assert len(asked) > 10
        for method, path in [*asked, ("get", "/api/v1/openapi.json"), ("get", "/audit/logs")]:
            answer = httpx.request(method, serving.console + path)
            assert answer.status_code == 401, path
            assert "WWW-Authenticate" in answer.headers


def test_there_is_no_other_door(gateway: Path) -> None:
    with Serving(gateway) as serving:
        for path in (
            "/admin/",
            "/debug",
            "/health",
            "/metrics",
            "/stats.json",
            "/api/v1/docs",
            "/.env",
            "/static/",
        ):
            answer = httpx.get(serving.console + path)
            assert answer.status_code in {302, 404}, path
            assert "Traceback" not in answer.text


def test_no_route_of_the_gateway_is_a_door_to_the_console(tmp_path: Path) -> None:
    """H4, for the console: whoever writes an upstream must not open it to the world by accident."""
    port = free_port()
    console = f"http://127.0.0.1:{port}"
    gateway = document(tmp_path, console)
    with Serving(gateway, "--bind", f"127.0.0.1:{port}") as serving:
        assert httpx.get(f"{console}/account/login/").status_code == 200
        answer = httpx.get(f"{serving.public}/orders/account/login/", headers=KEY)
        assert answer.status_code == 421
        assert "does not list" in answer.text
