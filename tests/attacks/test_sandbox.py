"""The sandbox: what is rewritten, what is never read or contacted, and that it always ends."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

import lockgate
import pytest
from lockgate.attacks.candidate import Candidate
from lockgate.attacks.sandbox import Sandbox
from lockgate.attacks.wire import Request, parse, send

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENT = """lockgate: 1
purposes: optional
listeners: { public: { bind: "0.0.0.0:8080", trusted_proxies: [10.0.0.0/8, 127.0.0.1/32] } }
upstreams: { orders: { targets: ["https://orders.example.com"], health: { path: /healthz } } }
recording: { directory: recording }
access_log: { to: access.log }
telemetry: { otlp: { endpoint: "https://collector.example.com", headers: { key: "${file:secret.txt}" } } }
node: { state: state }
policies:
  - id: token
    kind: oauth2_introspection
    endpoint: https://id.example.com/introspect
    client_id: gateway
    client_secret: "${file:secret.txt}"
apis: { orders: { versions: { v1: { base: /orders, upstream: orders } } } }
"""


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.yaml"
    path.write_text(DOCUMENT)
    return path


def test_the_sandbox_stands_on_loopback_with_secrets_of_its_own(document: Path) -> None:
    (document.parent / "secret.txt").write_text("planted-secret")
    with Sandbox(Candidate(document)) as sandbox:
        rewritten = (sandbox.folder / "gateway.json").read_text()
        assert all(host == "127.0.0.1" for host, _ in (*sandbox.listeners.values(), sandbox.admin))
        read = json.loads(rewritten)
    assert "example.com" not in json.dumps(read["upstreams"])
    assert "example.com" not in read["policies"][0]["endpoint"]
    assert not {"recording", "access_log", "telemetry"} & set(read)
    assert "state" not in read["node"]
    assert read["listeners"]["public"]["trusted_proxies"] == ["10.0.0.0/8", "127.77.0.1/32"]
    assert "planted-secret" not in rewritten
    assert "secret.txt" not in rewritten
    assert "planted-secret" not in sandbox.secrets.values()


def test_nothing_is_left_behind(document: Path) -> None:
    report = lockgate.attack(document, families=["authentication"])
    assert report.attacks["authentication"]
    assert sorted(path.name for path in document.parent.iterdir()) == ["gateway.yaml"]


def test_a_node_ends_with_the_sandbox(document: Path) -> None:
    with Sandbox(Candidate(document)) as sandbox:
        address, folder = sandbox.address, sandbox.folder
        assert send(address, Request("GET", "/orders", (("Host", "a"),))).status == 401
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=1)
    assert not folder.exists()


def test_a_node_ends_with_a_process_that_is_killed(document: Path) -> None:
    code = f"""
        import time
        from lockgate.attacks.candidate import Candidate
        from lockgate.attacks.sandbox import Sandbox
        with Sandbox(Candidate({str(document)!r})) as sandbox:
            print(sandbox.address[1], flush=True)
            time.sleep(60)
    """
    line = [sys.executable, "-c", textwrap.dedent(code)]
    environment = os.environ | {"TMPDIR": str(document.parent)}
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        process.kill()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            return
        except OSError:
            # The listener was closed while the connection waited for it.
            continue
    pytest.fail("the node outlives the process that started it")


def test_attacks_end_when_their_time_is_over(document: Path) -> None:
    report = lockgate.attack(document, within=0)
    assert sum(report.attacks.values()) == 0
    assert report.unjudged[0] == "authentication: the 0 s were over before it ended"
    assert report.unfinished[0] == "authentication"


def test_a_route_that_no_good_request_reaches_is_named(document: Path) -> None:
    policies = (
        "  - { id: key, kind: api_key }\n  - { id: sales, kind: require, claims: { department: sales } }\n"
    )
    text = DOCUMENT[: DOCUMENT.index("  - id: token")] + policies + DOCUMENT[DOCUMENT.index("apis:") :]
    document.write_text(text)
    report = lockgate.attack(document, families=["injection"])
    assert report.unjudged == ["orders/v1 * GET: a request that should pass got 403 (require.claim)"]


def test_answers_are_read_as_they_come() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    sized = b"HTTP/1.1 401 No\r\nContent-Length: 2\r\nX-A: b\r\n\r\nno"
    answer = parse(interim + chunked + sized)
    assert (answer.status, answer.body, answer.count) == (200, b"ok", 2)
    assert parse(sized).header("x-a") == "b"
    for broken in (b"", b"HTTP/1.1", b"HTTP/1.1 x\r\n\r\n", chunked.replace(b"2\r\n", b"zz\r\n")):
        assert parse(broken).count <= 1
