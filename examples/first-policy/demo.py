"""Runs `gateway.yaml` in front of a small file service and sends traffic: `make demo`.

What callers see is printed once a second: answers by status, refusals by reason.
"""

from __future__ import annotations

import argparse
import functools
import http.client
import http.server
import json
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from lockgate import Gateway

HERE = Path(__file__).parent
KEY = {"X-Api-Key": "lg_try_me"}
NESTED = "[" * 60 + "]" * 60
CALLS: list[tuple[str, str, dict[str, str], str | None]] = [
    ("GET", "/files/gateway.yaml", KEY, None),
    ("GET", "/files/gateway.yaml", {}, None),
    ("GET", "/files/gateway.yaml", {"X-Api-Key": "lg_guess"}, None),
    ("GET", "/files/%2e%2e/secret", KEY, None),
    ("POST", "/files/", KEY, NESTED),
    ("GET", "/nowhere", KEY, None),
]


class Files(http.server.SimpleHTTPRequestHandler):
    """The service: files of this folder, without a log line for each."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def send(address: str, method: str, path: str, headers: dict[str, str], body: str | None) -> str:
    """Send one request; the reason code of a refusal, else the status."""
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.headers.get_content_type() == "application/problem+json":
            return f"{answer.status} {json.loads(text)['code']}"
        return str(answer.status)
    finally:
        connection.close()


def main() -> None:
    """Run until the time is over or Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop by itself after this time")
    parser.add_argument("--port", type=int, default=8080, help="where the gateway listens; 0: any free port")
    options = parser.parse_args()
    handler = functools.partial(Files, directory=str(HERE))
    with (
        tempfile.TemporaryDirectory() as folder,
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as service,
    ):
        threading.Thread(target=service.serve_forever, daemon=True).start()
        document = Path(folder, "gateway.yaml")
        text = (HERE / "gateway.yaml").read_text().replace(":9001", f":{service.server_port}")
        admin = f"admin: {{ bind: '127.0.0.1:{9901 if options.port else 0}' }}\n"
        document.write_text(text.replace(":8080", f":{options.port}") + admin)
        try:
            with Gateway(document) as gateway:
                serve(gateway, document, options.seconds)
        except OSError as error:
            parser.exit(2, f"{error}\nwrite `--port 0` to take any free port\n")
        except KeyboardInterrupt:
            pass
        finally:
            service.shutdown()


def serve(gateway: Gateway, document: Path, seconds: float) -> None:
    """Send traffic and say what became of it."""
    address = gateway.listeners["public"]
    print(f"gateway    http://{address}/files/")
    print(f"document   {document}")
    print(f'succeeds   curl -i -H "X-Api-Key: lg_try_me" http://{address}/files/')
    print(f"refused    curl -i http://{address}/files/   (its `remedy` says what to do)", flush=True)
    end = time.monotonic() + seconds
    seen: Counter[str] = Counter()
    while time.monotonic() < end:
        for call in CALLS:
            seen[send(address, *call)] += 1
        print("  ".join(f"{what}: {count}" for what, count in sorted(seen.items())), flush=True)
        time.sleep(min(1.0, max(0.0, end - time.monotonic())))


if __name__ == "__main__":
    main()
