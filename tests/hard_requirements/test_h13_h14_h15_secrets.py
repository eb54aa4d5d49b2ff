"""H13: credentials are looked up by hash.

H14: what was judged is what is forwarded. H15: a secret appears nowhere.
"""

from __future__ import annotations

import base64
import shutil
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import lockgate
import pytest
from lockgate._engine import hash_password
from services import Request, Service, answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Serve

SECRET = "hunter2-" + "Q" * 24
HASH = hash_password("right")


@pytest.mark.parametrize(
    "credential",
    ["' OR '1'='1", "lg_try_me' --", "%", "*", "lg_try_m", "lg_try_mee", "LG_TRY_ME"],
)
def test_only_the_key_itself_is_the_key(serve: Serve, credential: str) -> None:
    """After LiteLLM CVE-2026-42208."""
    with Service() as service:
        gateway = serve(service.url, policies="{ id: key, kind: api_key }")
        refused = httpx.get(gateway.urls["public"], headers={"X-Api-Key": credential})
    assert refused.status_code == 401


@pytest.mark.parametrize(
    "body",
    ['{"role":"user","role":"admin"}', '{"role":"user","Role":"admin"}', '{"__proto__":{"admin":true}}'],
)
def test_json_with_two_readings_is_refused(serve: Serve, body: str) -> None:
    with Service() as service:
        gateway = serve(service.url, policies="{ id: shape, kind: json_limits }")
        for content_type in ("application/json", "text/plain", "application/vnd.api+json"):
            refused = httpx.post(gateway.urls["public"], content=body, headers={"Content-Type": content_type})
            assert (refused.status_code, refused.json()["code"]) == (400, "json_limits.refused")
    assert service.requests == []


def test_what_was_judged_is_forwarded_byte_for_byte(serve: Serve) -> None:
    body = '{ "a" : 1.0e2, "b":"\\u00e9" }\n'
    with Service() as service:
        gateway = serve(service.url, policies="{ id: shape, kind: json_limits }")
        httpx.post(gateway.urls["public"], content=body)
    assert service.requests[0].body == body.encode()


def test_a_planted_secret_appears_nowhere(serve: Serve, tmp_path: Path, key: dict[str, str]) -> None:
    more = "recording: { directory: rec }\naccess_log: { to: access.log }\n"
    with Service() as service:
        gateway = serve(
            service.url, policies="{ id: key, kind: api_key, in: { header: X-Shop-Pin } }", more=more
        )
        url = gateway.urls["public"]
        answers = [
            httpx.get(url, headers={"X-Shop-Pin": SECRET}),
            httpx.get(f"{url}/?api_key={SECRET}&access_token={SECRET}", headers=key),
            httpx.get(url, headers={"Authorization": f"Bearer {SECRET}"}),
            httpx.get(url, headers={"Authorization": SECRET, "Cookie": f"session={SECRET}"}),
            httpx.get(f"{url}/%zz", headers={"X-Shop-Pin": SECRET}),
        ]
        admin = f"http://{gateway.admin}"
        shown = "".join(httpx.get(f"{admin}{path}").text for path in ("/metrics", "/stats.json"))
        assert gateway.stop(5.0)
    for given in answers:
        assert SECRET not in given.text + str(given.headers)
    assert SECRET not in shown
    events = list(lockgate.Recording(tmp_path / "rec"))
    assert len(events) == len(answers)
    assert SECRET not in "".join(event.model_dump_json() for event in events)
    assert SECRET not in (tmp_path / "access.log").read_text()
    for path in (tmp_path / "rec").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("' OR '1'='1' -- ", "x"),
        ("shop", "' OR '1'='1"),
        ("shop'--", ""),
        ("%", "%"),
        ("*", "*"),
        ("shop\0", "right"),
        ("SHOP", "right"),
        ("", ""),
    ],
)
def test_sql_in_a_user_name_or_password_is_inert(serve: Serve, user: str, password: str) -> None:
    passwords = f", passwords: [{{ username: shop, argon2: '{HASH}' }}]"
    with Service() as service:
        gateway = serve(
            service.url,
            policies="{ id: who, kind: basic_auth }",
            applications=f", till: {{ {passwords.removeprefix(', ')} }}",
        )
        credential = base64.b64encode(f"{user}:{password}".encode()).decode()
        refused = httpx.get(gateway.urls["public"], headers={"Authorization": f"Basic {credential}"})
        assert (refused.status_code, refused.json()["code"]) == (401, "basic_auth.invalid")
        assert service.requests == []
        right = base64.b64encode(b"shop:right").decode()
        passed = httpx.get(gateway.urls["public"], headers={"Authorization": f"Basic {right}"})
        assert passed.status_code == 200
    assert service.requests[0].all("x-lockgate-application") == ["till"]
    assert right not in str(service.requests[0])


INTROSPECTION = (
    "{{ id: token, kind: oauth2_introspection, endpoint: '{url}', client_id: gateway, "
    "client_secret: '${{file:client.secret}}', allow_private: true }}"
)


def test_a_secret_of_the_gateway_appears_nowhere_when_things_go_wrong(serve: Serve, tmp_path: Path) -> None:
    """The authorization server is down, then talks nonsense, then repeats what it was sent."""
    (tmp_path / "client.secret").write_text(SECRET + "\n")
    pair = base64.b64encode(f"gateway:{SECRET}".encode()).decode()
    echoed: list[bytes] = []

    def echo(request: Request) -> bytes:
        echoed.append(request.body)
        (sent,) = request.all("authorization")
        assert sent == f"Basic {pair}"
        return answer(f"error: {sent} {SECRET}", status="500 Internal Server Error")

    more = "recording: { directory: rec }\naccess_log: { to: access.log }\n"
    with Service(reply=echo) as server, Service() as service:
        gateway = serve(service.url, policies=INTROSPECTION.format(url=server.url), more=more)
        url, admin = gateway.urls["public"], f"http://{gateway.admin}"
        token = "opaque-" + SECRET[::-1]
        answers = [httpx.get(url, headers={"Authorization": f"Bearer {token}"}) for _ in range(2)]
        server.stop()
        answers.append(httpx.get(url, headers={"Authorization": f"Bearer {token}2"}))
        # Reloads that fail, and one that does not.
        document = tmp_path / "gateway.yaml"
        text = document.read_text()
        shown = ""
        for bad in (
            text.replace("client_id", "client_idd"),
            text.replace("${file:client.secret}", SECRET),
            text,
        ):
            document.write_text(bad)
            reloaded = httpx.post(f"{admin}/reload")
            assert reloaded.json()["applied"] == (bad is text)
            shown += reloaded.text + str(gateway.reload())
        shown += "".join(httpx.get(f"{admin}{path}").text for path in ("/metrics", "/stats.json", "/no"))
        assert gateway.stop(5.0)
    assert echoed
    assert {answer.status_code for answer in answers} <= {401, 503}
    shown += "".join(answer.text + str(answer.headers) for answer in answers)
    shown += (tmp_path / "access.log").read_text()
    shown += "".join(event.model_dump_json() for event in lockgate.Recording(tmp_path / "rec"))
    for word in (SECRET, pair, token):
        assert word not in shown


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("${file:client.secret}", SECRET),
        lambda text: text.replace("client_secret", "client_secrett"),
        lambda text: text.replace("oauth2_introspection", "oauth2_introspektion"),
        lambda text: text + "listners: {}\n",
    ],
)
def test_no_command_repeats_a_secret_that_a_document_names_or_holds(
    serve: Serve, tmp_path: Path, change: Callable[[str], str]
) -> None:
    (tmp_path / "client.secret").write_text(SECRET)
    with Service() as service:
        serve(service.url, policies=INTROSPECTION.format(url="http://127.0.0.1:1/")).stop(0)
    document = tmp_path / "gateway.yaml"
    document.write_text(change(document.read_text()))
    for command in (["check"], ["run"], ["diff", str(document)], ["explain"]):
        arguments = [*command, str(document)] + (["GET", "/"] if command == ["explain"] else [])
        done = subprocess.run(
            [sys.executable, "-m", "lockgate", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode != 0
        assert SECRET not in done.stdout + done.stderr


ZSTD = shutil.which("zstd")


@pytest.mark.skipif(ZSTD is None, reason="the bytes are unpacked with the program zstd")
def test_what_is_recorded_is_clean_on_the_disk_and_not_only_when_read(
    serve: Serve, tmp_path: Path, key: dict[str, str]
) -> None:
    """H20: nothing reaches the disk before it was redacted."""
    body = f'{{"password":"{SECRET}","note":"Bearer {SECRET}"}}'
    with Service() as service:
        gateway = serve(
            service.url,
            policies="{ id: key, kind: api_key }",
            routes="routes: [{ match: { path: /kept }, record_body: { up_to: 64KiB } }]",
            more="recording: { directory: rec }\n",
        )
        url = gateway.urls["public"]
        headers = key | {"Content-Type": "application/json", "X-Auth-Token": SECRET}
        assert httpx.post(f"{url}/kept?token={SECRET}", content=body, headers=headers).status_code == 200
        assert gateway.stop(5.0)
    plain = b"".join(
        subprocess.run([str(ZSTD), "-dc", str(path)], capture_output=True, check=True).stdout
        for path in (tmp_path / "rec").glob("*.zst*")
    )
    assert b'"path":"/kept"' in plain
    assert b"note" in plain
    assert SECRET.encode() not in plain
    assert b"lg_try_me" not in plain
