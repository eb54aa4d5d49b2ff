"""A gateway's document, the service behind it and the state folder beside it, to be treated badly."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from load import free_port
from lockgate import _engine

if TYPE_CHECKING:
    from pathlib import Path

    from services import Service

DOCUMENT = """lockgate: 1
purposes: optional
listeners: {{ public: {{ bind: "127.0.0.1:{port}" }} }}
admin: {{ bind: "127.0.0.1:{admin}" }}
node: {{ cores: 2 }}
upstreams: {{ service: {{ targets: ["{service}"] }} }}
applications: {{ shop: {{ keys: [{{ sha256: {key} }}] }} }}
policies:
  - {{ id: key, kind: api_key }}
  - {{ id: one, kind: headers, response: {{ set: {{ X-One: "{mark}" }} }} }}
  - {{ id: two, kind: headers, response: {{ set: {{ X-Two: "{mark}" }} }} }}
apis: {{ api: {{ versions: {{ v1: {{ base: /, upstream: service }} }} }} }}
"""
KEY = {"X-Api-Key": "lg_try_me"}


class Site:
    """A service, a document in front of it whose every answer bears its mark, and a state folder."""

    def __init__(self, folder: Path, service: Service) -> None:
        self.folder, self.service = folder, service
        self.document = folder / "config" / "gateway.yaml"
        self.document.parent.mkdir()
        self.state = folder / "state"
        self.port, self.admin = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}/a"
        self.write("first")

    def text(self, mark: str, **other: Any) -> str:
        values = {"port": self.port, "admin": self.admin, "service": self.service.url, "mark": mark}
        key = hashlib.sha256(b"lg_try_me").hexdigest()
        return DOCUMENT.format(**{"key": key, **values, **other})

    def write(self, mark: str, **other: Any) -> None:
        """Write the document; its answers bear the mark."""
        self.document.write_text(self.text(mark, **other))

    def bundle(self, generation: int, mark: str, *, key: str | None = None) -> str:
        """The text of a bundle."""
        source = self.document.with_name(f"{mark}.yaml")
        source.write_text(self.text(mark))
        text: str = json.loads(_engine.build_bundle(source, generation, None, key))["bundle"]
        return text
