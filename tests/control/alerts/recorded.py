"""Events as a node records them, made up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lockgate.control.alerts import detect, reading

if TYPE_CHECKING:
    import pytest

SOURCE = "203.0.113.7"
START = 1_800_000_000_000_000
SECOND = 1_000_000


def event(second: float = 0.0, **more: Any) -> dict[str, Any]:
    """A call that was refused for a wrong key."""
    return {
        "at": START + int(second * SECOND),
        "id": f"request-{second}",
        "client": SOURCE,
        "method": "GET",
        "path": "/orders/1",
        "api": "orders",
        "decision": "refuse",
        "code": "api_key.invalid",
        "status": 401,
        "bytes_out": 300,
        **more,
    }


def key(number: int) -> dict[str, Any]:
    """The mark of a credential."""
    return {"headers": [["x-api-key", f"hmac-sha256:{number:016x}"]]}


class Recorded:
    """A recording in memory, whose segments can grow."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.segments: dict[str, list[str]] = {}
        monkeypatch.setattr(reading, "names", lambda: sorted(self.segments))
        monkeypatch.setattr(reading, "_texts", lambda name: iter(list(self.segments.get(name, []))))
        detect.forget()

    def add(self, *events: dict[str, Any], number: int = 1) -> None:
        """Append to a segment."""
        name = f"events-{START:016}-{number:06}.ndjson.zst"
        self.segments.setdefault(name, []).extend(json.dumps(one) for one in events)
