"""A node whose state folder is the control plane's, as `lockgate serve` has them, inside of the test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import httpx
from lockgate import Gateway

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENT = """lockgate: 1
purposes: optional
listeners: {{ public: {{ bind: "127.0.0.1:0" }} }}
admin: {{ bind: "127.0.0.1:0" }}
upstreams: {{ service: {{ targets: ["{service}"] }} }}
{applications}
apis:
  orders:
    versions:
      v1:
        base: /orders
        upstream: service
        policies:
          - {{ id: key, kind: api_key }}
          - {{ id: may-read, kind: require, scopes: [orders:read] }}
          - {{ id: gold-rate, kind: rate_limit, limit: 3, per: 1h, when: "'plan:gold' in application.roles" }}
  stock:
    versions: {{ v1: {{ base: /stock, upstream: service, policies: [{{ id: stock-key, kind: api_key }}] }} }}
{more}"""


class Node:
    """A gateway that can be stopped and started again on the same state folder."""

    def __init__(self, folder: Path, service: str) -> None:
        self.folder, self.service = folder, service
        self.document = folder / "config" / "gateway.yaml"
        self.document.parent.mkdir()
        self.state = folder / "node"
        self._gateway: Gateway | None = None

    def write(self, applications: str = "", more: str = "") -> None:
        """Write the document."""
        own = f"applications: {{ {applications} }}" if applications else ""
        text = DOCUMENT.format(service=self.service, applications=own, more=more)
        self.document.write_text(text)

    def start(self) -> None:
        """Serve the document."""
        self._gateway = Gateway(self.document, state=self.state)

    def stop(self) -> None:
        """Serve no more."""
        if self._gateway is not None:
            self._gateway.stop(1.0)
            self._gateway = None

    @property
    def gateway(self) -> Gateway:
        """The gateway that runs."""
        assert self._gateway is not None
        return self._gateway

    def reload(self) -> None:
        """Serve the document as it is now."""
        problems = self.gateway.reload().problems
        assert [problem for problem in problems if problem.severity == "error"] == []

    def call(self, path: str, *, key: str = "", token: str = "") -> tuple[int, str]:
        """Status and reason code of a call."""
        headers = {"X-Api-Key": key} if key else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        answer = httpx.get(self.gateway.urls["public"] + path, headers=headers)
        is_problem = answer.headers.get("Content-Type") == "application/problem+json"
        return answer.status_code, answer.json()["code"] if is_problem else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
