"""Somebody who publishes a feed: a key, manifests, and a server that answers with the newest one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lockgate import _engine
from lockgate.feeds import Manifest, sign
from lockgate.signing import private_key
from services import Service, answer


@dataclass
class Publisher:
    """Publishes the feed `threats`."""

    folder: Any
    body: bytes = b""
    status: str = "200 OK"
    public_key: str = ""
    service: Service = field(init=False)

    def __post_init__(self) -> None:
        private, self.public_key = _engine.new_signing_key()
        self._path = self.folder / "publisher.key"
        self._path.write_text(private)
        self.service = Service(lambda _: answer(self.body, self.status))

    @property
    def url(self) -> str:
        return f"{self.service.url}/threats.json"

    def manifest(self, sequence: int = 1, **said: Any) -> Manifest:
        """A manifest that may be taken now."""
        now = said.pop("now", datetime.now(UTC).replace(microsecond=0))
        fields = {
            "feed": 1,
            "name": "threats",
            "sequence": sequence,
            "issued": now,
            "expires": now + timedelta(days=2),
            "until": now + timedelta(days=30),
            "why": "a botnet of November",
            **({} if "rules" in said else {"networks": ["192.0.2.0/24"]}),
            **said,
        }
        return Manifest.model_validate(fields)

    def publish(self, sequence: int = 1, **said: Any) -> None:
        """Have the address answer with a signed manifest."""
        self.body = sign(self.manifest(sequence, **said), private_key(self._path)).encode()
