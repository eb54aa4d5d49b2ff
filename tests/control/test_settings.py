"""What a control plane refuses to start with, and what it says then."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from lockgate.control.analytics.connecting import connect
from lockgate.control.configuration import ConfigurationError, ControlSettings, network
from lockgate.control.secret import cipher, make_state, secret_key

STATE = Path("/var/lib/lockgate")


def settings(**given: Any) -> ControlSettings:
    return ControlSettings(state=STATE, **given)


@pytest.mark.parametrize("bind", ["127.0.0.1:9900", "localhost:9900", "[::1]:9900", "127.0.0.2:0"])
def test_loopback_needs_nothing_more(bind: str) -> None:
    settings(bind=bind).check()


@pytest.mark.parametrize(
    ("given", "message", "help_"),
    [
        ({"bind": "9900"}, "`9900` is not an address", "write host and port"),
        ({"bind": "127.0.0.1:http"}, "is not an address", "write host and port"),
        ({"bind": "127.0.0.1:70000"}, "is not an address", "write host and port"),
        ({"certificate": Path("/c.pem")}, "there is a TLS certificate and no key", "--tls-key"),
        ({"key": Path("/k.pem")}, "there is a TLS key and no certificate", "--tls-certificate"),
        (
            {"certificate": Path("/none/c.pem"), "key": Path("/none/k.pem")},
            "`/none/c.pem` cannot be read",
            "PEM",
        ),
        (
            {"bind": "0.0.0.0:9900", "proxies": (network("10.0.0.5"),)},
            "nobody said by which name people reach the console",
            "--name gate.example.com",
        ),
        ({"database": "mysql://root:hunter2@db/x"}, "begins with `mysql`", "write postgresql://"),
        ({"database": "postgresql://db"}, "names no PostgreSQL database", "write postgresql://"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_write(
    given: dict[str, Any], message: str, help_: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        settings(**given).check()
    assert message in str(refused.value)
    assert help_ in refused.value.help
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("proxy.example.com", "is not the address of a proxy"),
        ("10.0.0.5/24", "is not the address of a proxy"),
        ("0.0.0.0/0", "takes the word of everybody"),
        ("::/0", "takes the word of everybody"),
    ],
)
def test_a_proxy_is_an_address_and_never_everybody(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        network(text)


def test_settings_go_through_the_environment_unchanged() -> None:
    before = settings(
        bind="0.0.0.0:443",
        database="postgresql://db/x",
        clickhouse="https://ada:secret@db:8443/calls",
        certificate=Path("/c.pem"),
        key=Path("/k.pem"),
        proxies=(network("10.0.0.0/24"), network("fd00::1")),
        names=("a.example.com", "b.example.com"),
        recording=Path("/recordings"),
    )
    assert ControlSettings.from_environment(before.to_environment()) == before
    assert ControlSettings.from_environment(settings().to_environment()) == settings()


def test_a_state_folder_must_be_named() -> None:
    with pytest.raises(ConfigurationError, match="LOCKGATE_CONTROL_STATE does not say where"):
        ControlSettings.from_environment({})


def test_a_database_url_is_read_in_parts() -> None:
    url = "postgresql://ada:p%40ss@db.example.com:5433/gate?sslmode=verify-full"
    found = settings(database=url).django_database()
    parts = [found[name] for name in ("USER", "PASSWORD", "HOST", "PORT", "NAME", "OPTIONS")]
    assert parts == ["ada", "p@ss", "db.example.com", "5433", "gate", {"sslmode": "verify-full"}]
    socket = settings(database="postgresql:///gate?host=/run/postgresql").django_database()
    assert socket["HOST"] == "/run/postgresql"


def test_the_secret_is_random_and_for_its_owner_alone(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        make_state(folder)
    assert stat.S_IMODE(one.stat().st_mode) == 0o700
    assert secret_key(one) == secret_key(one) != secret_key(other)
    assert stat.S_IMODE((one / "secret.key").stat().st_mode) == 0o600


def test_a_secret_or_folder_that_others_can_read_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    make_state(folder)
    secret_key(folder)
    (folder / "secret.key").chmod(0o640)
    with pytest.raises(ConfigurationError, match="can be read by others"):
        secret_key(folder)
    folder.chmod(0o755)
    with pytest.raises(ConfigurationError, match="can be entered by others"):
        make_state(folder)


@pytest.mark.parametrize("text", ["", "changeme", "x" * 64, "secret"])
def test_a_secret_that_was_not_drawn_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secret.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="none that was drawn at random"):
        secret_key(tmp_path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be made"):
        make_state(tmp_path / "file" / "state")


def test_each_purpose_has_a_key_of_its_own() -> None:
    secret = os.urandom(32).hex()
    sealed = cipher(secret, "second factors").encrypt(b"seed")
    assert cipher(secret, "second factors").decrypt(sealed) == b"seed"
    assert cipher(secret, "one")._signing_key != cipher(secret, "other")._signing_key  # noqa: SLF001


def test_without_its_client_a_clickhouse_server_cannot_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "clickhouse_connect", None)
    with pytest.raises(ConfigurationError, match="the client for ClickHouse is not installed") as refused:
        connect("http://db/calls")
    assert refused.value.help == 'pip install "lockgate[clickhouse]"'
