"""The admin listener: health, metrics, reload."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import lockgate

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run


def test_health_metrics_and_statistics(document: Path, key: dict[str, str]) -> None:
    with lockgate.Gateway(document) as gateway:
        httpx.get(f"{gateway.urls['public']}/files/a.txt", headers=key)
        httpx.get(f"{gateway.urls['public']}/files/a.txt")
        admin = f"http://{gateway.admin}"
        assert httpx.get(f"{admin}/healthz").text == "alive\n"
        assert httpx.get(f"{admin}/ready").text == "ready\n"
        metrics = httpx.get(f"{admin}/metrics")
        assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert 'lockgate_requests_total{api="files",route="*",status="2xx"} 1\n' in metrics.text
        assert 'lockgate_refusals_total{code="api_key.missing"} 1\n' in metrics.text
        assert 'lockgate_request_seconds_count{api="files",route="*"} 2\n' in metrics.text
        stats = httpx.get(f"{admin}/stats.json").json()
        assert (stats["requests"], stats["upstreams"]["files"]["targets"][0]["healthy"]) == (2, True)


def test_only_programs_on_this_machine_are_answered(document: Path) -> None:
    with lockgate.Gateway(document) as gateway:
        admin = f"http://{gateway.admin}"
        for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
            assert httpx.post(f"{admin}/reload", headers=headers).status_code == 403
        assert httpx.get(f"{admin}/reload").status_code == 405
        assert httpx.get(f"{admin}/nothing").status_code == 404


def test_an_admin_listener_that_could_be_reached_from_outside_does_not_start(
    document: Path, run: Run
) -> None:
    document.write_text(
        document.read_text().replace('admin: { bind: "127.0.0.1:0" }', 'admin: { bind: "0.0.0.0:0" }')
    )
    result = run("run", document)
    assert result.returncode == 1
    assert "could be reached from outside" in result.stderr


def test_reload_tells_what_became_of_it(document: Path, run: Run, key: dict[str, str]) -> None:
    with lockgate.Gateway(document) as gateway:
        before = run("reload", "--admin", gateway.admin)
        assert before.returncode == 0
        assert re.search(r"is served, \d+\.\d ms after it was read$", before.stdout.strip())
        document.write_text(document.read_text().replace("kind: api_key", "kind: api_kee"))
        bad = run("reload", "--admin", gateway.admin)
        assert bad.returncode == 1
        assert "unknown policy kind `api_kee`" in bad.stderr
        assert "serves on" in bad.stderr
        assert httpx.get(f"{gateway.urls['public']}/files/a.txt", headers=key).status_code == 200
        gone = gateway.admin
    nobody = run("reload", "--admin", gone)
    assert nobody.returncode == 2
    assert f"no gateway answers at {gone}" in nobody.stderr
    assert "is not an address" in run("reload", "--admin", "a:b").stderr
