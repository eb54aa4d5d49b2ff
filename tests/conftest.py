"""A service with a gateway document in front of it, and the command line."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import lockgate
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts so what it puts in the background, and nothing that a test starts could be interrupted.
    signal.signal(signal.SIGINT, signal.default_int_handler)

EXAMPLE = Path(__file__).parents[1] / "examples" / "first-policy" / "gateway.yaml"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def document(tmp_path: Path) -> Iterator[Path]:
    served = tmp_path / "served"
    served.mkdir()
    (served / "a.txt").write_text("hello")
    handler = functools.partial(Quiet, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as service:
        thread = threading.Thread(target=service.serve_forever)
        thread.start()
        path = tmp_path / "config" / "gateway.yaml"
        path.parent.mkdir()
        text = EXAMPLE.read_text().replace("127.0.0.1:8080", "127.0.0.1:0")
        text += '\nadmin: { bind: "127.0.0.1:0" }\n'
        path.write_text(text.replace("127.0.0.1:9001", f"127.0.0.1:{service.server_port}"))
        yield path
        service.shutdown()
        thread.join()


DOCUMENT = """lockgate: 1
purposes: optional
listeners: {{ public: {{ bind: "127.0.0.1:0"{listener} }} }}
admin: {{ bind: "127.0.0.1:0" }}
upstreams: {{ service: {{ targets: [{targets}]{upstream} }}{upstreams} }}
applications: {{ shop: {{ scopes: [orders:read], keys: [{{ sha256: {hash} }}] }}{applications} }}
apis: {{ api: {{ versions: {{ v1: {{ base: /, upstream: service{policies}{routes} }} }} }} }}
{more}"""


class Serve(Protocol):
    """Runs a gateway in front of targets until the test ends."""

    def __call__(
        self,
        *targets: str,
        policies: str = "",
        upstream: str = "",
        listener: str = "",
        routes: str = "",
        upstreams: str = "",
        applications: str = "",
        more: str = "",
    ) -> lockgate.Gateway: ...


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    gateways: list[lockgate.Gateway] = []

    def serve(
        *targets: str,
        policies: str = "",
        upstream: str = "",
        listener: str = "",
        routes: str = "",
        upstreams: str = "",
        applications: str = "",
        more: str = "",
    ) -> lockgate.Gateway:
        document = tmp_path / "gateway.yaml"
        text = DOCUMENT.format(
            targets=", ".join(json.dumps(target) for target in targets),
            hash=hashlib.sha256(b"lg_try_me").hexdigest(),
            policies=f", policies: [{policies}]" if policies else "",
            upstream=f", {upstream}" if upstream else "",
            listener=f", {listener}" if listener else "",
            routes=f", {routes}" if routes else "",
            upstreams=upstreams,
            applications=applications,
            more=more,
        )
        document.write_text(text)
        gateways.append(lockgate.Gateway(document))
        return gateways[-1]

    yield serve
    for gateway in gateways:
        gateway.stop(5.0)


class Run(Protocol):
    """Runs `lockgate` with arguments to its end."""

    def __call__(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def run() -> Run:
    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "lockgate", *(str(argument) for argument in arguments)]
        return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)

    return run


@pytest.fixture
def key() -> dict[str, str]:
    """The key of the application `shop`."""
    return {"X-Api-Key": "lg_try_me"}
