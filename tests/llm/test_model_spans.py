"""Spans of calls to models, by OpenTelemetry's conventions for generative AI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import lockgate
from collectors import CLIENT, SERVER, Span, collector, otlp, spans
from llm.providers import document, provider, target
from services import Service, answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from services import Request

ASKED = {"model": "fast", "messages": [{"role": "user", "content": "My number is 4012 8888 8888 1881"}]}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}


def asked(
    folder: Path, reply: Callable[[Request], bytes], *, stream: bool = False
) -> tuple[Span, Span, Service]:
    """The spans of one call, and the provider."""
    path = folder / "gateway.yaml"
    with collector() as collected, Service(reply=reply) as service:
        path.write_text(document(target("openai", service)) + otlp(collected))
        with lockgate.Gateway(path) as gateway:
            url = f"{gateway.urls['public']}/ai/v1/chat/completions"
            httpx.post(url, json=ASKED | {"stream": stream}, headers=SAMPLED)
    request, call = spans(collected)
    assert (request.kind, call.kind, call.parent) == (SERVER, CLIENT, request.id)
    assert "4012 8888" not in str(collected.requests)
    return request, call, service


def test_a_call_to_a_model_says_who_was_asked_and_what_it_took(tmp_path: Path) -> None:
    request, call, service = asked(tmp_path, provider("openai"))
    assert call.name == "chat fast"
    assert call.about["gen_ai.operation.name"] == "chat"
    assert call.about["gen_ai.request.model"] == "fast"
    assert call.about["gen_ai.provider.name"] == "openai"
    assert call.about["gen_ai.usage.input_tokens"] > 0
    assert call.about["gen_ai.usage.output_tokens"] > 0
    assert call.about["server.port"] == service.port
    assert request.about["http.response.status_code"] == 200
    assert not call.is_error
    # A provider gets what its API needs, and is told of no trace.
    assert service.requests[0].all("traceparent") == []


def test_a_stream_lasts_to_its_last_word(tmp_path: Path) -> None:
    request, call, _ = asked(tmp_path, provider("openai", "stream"), stream=True)
    assert call.ended == request.ended
    assert call.about["gen_ai.usage.output_tokens"] > 0


def test_a_provider_that_fails_says_why(tmp_path: Path) -> None:
    busy = answer('{"error": {"message": "slow down"}}', status="429 Too Many Requests")
    _, call, _ = asked(tmp_path, lambda _: busy)
    assert call.is_error
    assert call.about["error.type"] == "rate_limited"
