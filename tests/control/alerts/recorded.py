"""Events as a node records them, made up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lockgate.control.alerts import detect, reading
from lockgate.control.events.recordings import FIRST, SegmentName

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
        self.segments: dict[SegmentName, list[str]] = {}
        monkeypatch.setattr(reading, "names", self._names)
        monkeypatch.setattr(reading, "_texts", lambda one: iter(list(self.segments.get(one, []))))
        monkeypatch.setattr(reading, "_whole", {})
        detect.forget()

    def add(self, *events: dict[str, Any], number: int = 1, node: str = FIRST) -> None:
        """Append to a segment."""
        segment = SegmentName(f"events-{START:016}-{number:06}.ndjson.zst", node)
        self.segments.setdefault(segment, []).extend(json.dumps(one) for one in events)

    def _names(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {FIRST: []}
        for one in sorted(self.segments):
            found.setdefault(one.node, []).append(one.name)
        return found
