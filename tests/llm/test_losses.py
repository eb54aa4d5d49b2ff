"""What a streamed answer loses on its way to the caller is told, however late it is known."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import lockgate
from llm.providers import document, golden, running, target
from services import Service, answer

if TYPE_CHECKING:
    from pathlib import Path

PROMPT = 'match: { path: /short }, prompt: { model: fast, messages: [{ user: "Say something" }] }'
LOST = "dropped=answer.thinking dropped=answer.tool_calls"
SAID = answer(golden("anthropic.stream_parallel"), Content_Type="text/event-stream")
"""A thought and calls of tools, for which a plain answer has no room."""


def publishing(service: Service) -> str:
    return document(target("anthropic", service)).replace(
        "models: [fast, slow]", f"models: [fast, slow], routes: [{{ {PROMPT} }}]"
    )


def test_the_recording_and_the_metrics_hold_what_a_stream_lost(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    with Service(reply=lambda _: SAID) as service:
        path.write_text(publishing(service))
        with lockgate.Gateway(path) as gateway:
            url = f"{gateway.urls['public']}/ai/short"
            said = httpx.post(url, json={}, headers={"Accept": "text/event-stream"})
            metrics = httpx.get(f"http://{gateway.admin}/metrics").text
    assert "event: end" in said.text
    assert said.headers["lockgate-lost"] == "added=max_tokens"
    (event,) = lockgate.Recording(tmp_path / "recording")
    assert event.model_call is not None
    assert event.model_call.lost == f"added=max_tokens {LOST}"
    labels = 'gen_ai_request_model="fast",gen_ai_provider_name="anthropic"'
    assert f"lockgate_model_lossy_calls_total{{{labels}}} 1" in metrics


def test_a_caller_who_takes_trailers_gets_them_after_the_stream(tmp_path: Path) -> None:
    with Service(reply=lambda _: SAID) as service, running(tmp_path, publishing(service)) as url:
        place = urlsplit(url)
        body = json.dumps({})
        with socket.create_connection((place.hostname, place.port), timeout=20) as caller:
            head = f"POST /ai/short HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: {len(body)}\r\n"
            head += "Accept: text/event-stream\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n"
            caller.sendall((head + body).encode())
            said = b""
            while piece := caller.recv(65536):
                said += piece
    fields, _, rest = said.partition(b"\r\n\r\n")
    assert b"trailer: lockgate-lost" in fields.lower()
    assert rest.lower().endswith(f"0\r\nlockgate-lost: {LOST}\r\n\r\n".encode())
