"""What a gateway records, and how people read it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import lockgate
import pytest
from services import Service, answer

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run

SECRET = "lg_try_me"
ONE_CORE = "node: { cores: 1 }\n"
"""Each core writes what it has served: with several, only the times of records say their order."""


@pytest.fixture
def recording(document: Path, key: dict[str, str]) -> Path:
    """The recording of three calls."""
    text = document.read_text()
    document.write_text(text + "recording: { directory: rec }\naccess_log: { to: access.log }\n" + ONE_CORE)
    with lockgate.Gateway(document) as gateway:
        url = gateway.urls["public"]
        trace = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
        httpx.get(f"{url}/files/a.txt?token=hush", headers=key | trace)
        httpx.get(f"{url}/files/a.txt")
        httpx.get(f"{url}/nowhere", headers=key)
        stats = gateway.stats()
        assert (stats["requests"], stats["answers"]["2xx"], stats["answers"]["4xx"]) == (3, 1, 2)
    return document.parent / "rec"


def test_each_request_is_recorded_with_its_decision_and_without_its_secrets(recording: Path) -> None:
    served, refused, lost = lockgate.Recording(recording)
    assert (served.decision, served.status, served.application, served.api) == (
        "forward",
        200,
        "shop",
        "files",
    )
    assert served.bytes_out == len("hello")
    assert served.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert [(v.id, v.word) for v in served.verdicts] == [
        ("key", "allow"),
        ("fair-use", "allow"),
        ("json-shape", "pass"),
    ]
    assert (refused.decision, refused.code, refused.status) == ("refuse", "api_key.missing", 401)
    assert (lost.code, lost.route) == ("route.not_found", None)
    assert dict(served.headers)["x-api-key"].startswith("hmac-sha256:")
    written = b"".join(
        path.read_bytes() for path in recording.parent.rglob("*") if path.is_file() and path.suffix != ".yaml"
    )
    text = "".join(event.model_dump_json() for event in (served, refused, lost))
    assert SECRET.encode() not in written
    assert SECRET not in text
    assert "hush" not in text


def test_the_access_log_has_a_line_for_each_request_and_no_query(recording: Path) -> None:
    lines = [json.loads(line) for line in (recording.parent / "access.log").read_text().splitlines()]
    assert [(line["status"], line["path"]) for line in lines] == [
        (200, "/files/a.txt"),
        (401, "/files/a.txt"),
        (404, "/nowhere"),
    ]
    assert lines[1]["code"] == "api_key.missing"
    assert "hush" not in str(lines)
    assert (recording.parent / "access.log").stat().st_mode & 0o777 == 0o600


def test_people_list_filter_show_and_count(recording: Path, run: Run) -> None:
    everything = run("recording", "list", recording)
    assert everything.returncode == 0, everything.stderr
    assert len(everything.stdout.splitlines()) == 4
    refused = run("recording", "list", recording, "--status", "4xx", "--decision", "refuse", "--api", "files")
    assert [line.split()[-1] for line in refused.stdout.splitlines()[1:]] == ["api_key.missing"]
    first = next(iter(lockgate.Recording(recording)))
    shown = run("recording", "show", recording, first.id[:10]).stdout
    assert f"id           {first.id}" in shown
    assert "fair-use" in shown
    counted = run("recording", "summary", recording, "--json")
    assert {
        "application": "",
        "route": "files *",
        "outcome": "api_key.missing",
        "requests": 1,
    } in json.loads(counted.stdout)


def test_what_an_answer_says_at_its_end_is_recorded(tmp_path: Path, run: Run) -> None:
    of_grpc = b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n"
    broken = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\nfew"
    answers = {"/grpc": of_grpc + b"2\r\nok\r\n0\r\ngrpc-status: 5\r\n\r\n", "/short": broken}
    document = tmp_path / "gateway.yaml"
    with Service(reply=lambda request: answers.get(request.path, answer())) as service:
        document.write_text(
            f"""lockgate: 1
purposes: optional
admin: {{ bind: "127.0.0.1:0" }}
listeners: {{ public: {{ bind: "127.0.0.1:0" }} }}
recording: {{ directory: rec }}
upstreams: {{ service: {{ targets: ["{service.url}"] }} }}
apis: {{ any: {{ versions: {{ v1: {{ base: /, upstream: service }} }} }} }}
{ONE_CORE}"""
        )
        with lockgate.Gateway(document) as gateway:
            url = gateway.urls["public"]
            assert httpx.get(f"{url}/grpc").text == "ok"
            with pytest.raises(httpx.RemoteProtocolError):
                httpx.get(f"{url}/short")
            httpx.get(url)
    rpc, short, whole = lockgate.Recording(tmp_path / "rec")
    assert [(one.status, one.grpc_status, one.broke_off) for one in (rpc, short, whole)] == [
        (200, 5, False),
        (200, None, True),
        (200, None, False),
    ]
    assert "status       200, 5 of gRPC\n" in run("recording", "show", tmp_path / "rec", rpc.id).stdout
    assert "status       200, and broke off\n" in run("recording", "show", tmp_path / "rec", short.id).stdout


def test_what_cannot_be_read_is_said(recording: Path, tmp_path: Path, run: Run) -> None:
    for arguments, message in [
        (("list", tmp_path / "none"), "cannot be read: No such file or directory"),
        (("list", recording, "--status", "9xx"), "`9xx` is not a status; write one such as 401"),
        (("list", recording, "--since", "soon"), "`soon` is not a time; write one such as 2026"),
        (("list", recording, "--client", "me"), "`me` is not an address; write one such as `192.0.2.7`"),
        (("show", recording, "zzz"), "no recorded request has an id that begins with `zzz`"),
    ]:
        result = run("recording", *arguments)
        assert result.returncode != 0
        assert message in result.stderr
    segment = next(recording.glob("*.zst"))
    segment.write_bytes(segment.read_bytes()[:40])
    result = run("recording", "list", recording)
    assert result.returncode == 0
