"""H13: credentials are looked up by hash.

H14: what was judged is what is forwarded. H15: a secret appears nowhere.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import httpx
import lockgate
import pytest
from services import Service

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Serve

SECRET = "hunter2-" + "Q" * 24


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
    for answer in answers:
        assert SECRET not in answer.text + str(answer.headers)
    assert SECRET not in shown
    events = list(lockgate.Recording(tmp_path / "rec"))
    assert len(events) == len(answers)
    assert SECRET not in "".join(event.model_dump_json() for event in events)
    assert SECRET not in (tmp_path / "access.log").read_text()
    for path in (tmp_path / "rec").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
