"""Segments as a node writes them, made of events that a test names."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

REVISION = "a" * 64
OTHER = "b" * 64


def micros(time: datetime) -> int:
    """A time as events have it."""
    return int(time.timestamp() * 1_000_000)


def hour_of_yesterday(hour: int = 12) -> datetime:
    """A whole hour that is over, in UTC."""
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    return day + timedelta(hours=hour)


def event(at: int, **said: Any) -> dict[str, Any]:
    """An event; what is not said is as of an answered call of `orders` by `shop`."""
    usual = {
        "v": 2,
        "at": at,
        "id": f"r{at}",
        "node": "n",
        "revision": REVISION,
        "listener": "public",
        "client": "192.0.2.1",
        "method": "GET",
        "scheme": "http",
        "host": "api.example.com",
        "path": "/orders/1",
        "query": "token=secret",
        "version": "1.1",
        "headers": [["authorization", "hmac-sha256:00"]],
        "api": "orders",
        "api_version": "v1",
        "route": "get",
        "application": "shop",
        "subject": "ada@example.com",
        "claims": {"sub": "ada@example.com"},
        "decision": "forward",
        "status": 200,
        "upstream": "service",
        "target": "10.0.0.1:80",
        "tries": 1,
        "bytes_in": 10,
        "bytes_out": 1_000,
        "latency_us": 15_000,
        "upstream_us": 12_000,
        "body": "secret",
    }
    return {name: value for name, value in (usual | said).items() if value is not None}


def refused(at: int, code: str = "api_key.missing", status: int = 401, **said: Any) -> dict[str, Any]:
    """An event of a call that a policy refused."""
    nobody = {"application": None, "upstream": None, "target": None, "tries": 0, "upstream_us": 0}
    return event(at, **(nobody | {"decision": "refuse", "code": code, "status": status} | said))


def segment(folder: Path, events: Iterable[dict[str, Any]], number: int = 1) -> Path:
    """Write a sealed segment."""
    lines = [json.dumps(one, separators=(",", ":")) for one in events]
    start = json.loads(lines[0])["at"]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"events-{start:016d}-{number:06d}.ndjson.zst"
    # The recorder writes checksums too.
    compressor = zstandard.ZstdCompressor(write_checksum=True)
    path.write_bytes(compressor.compress(("\n".join(lines) + "\n").encode()))
    return path


def asked(at: int, model: str = "fast", **said: Any) -> dict[str, Any]:
    """An event of a call to a model; what is not said is as of an answer of `openai` that was paid for."""
    call = {
        "model": model,
        "provider": "openai",
        "provider_model": "gpt-5-mini",
        "input_tokens": 100,
        "output_tokens": 20,
        "cost": 2_000,
    } | said.pop("call", {})
    usual = {"api": "ai", "route": "chat", "method": "POST", "upstream": None, "target": "api.openai.com:443"}
    kept = {name: value for name, value in call.items() if value is not None}
    return event(at, **(usual | {"model_call": kept} | said))
