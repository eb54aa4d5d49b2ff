"""What callers see when a provider fails, and who stands in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anthropic
import httpx
import openai
import pytest
from llm.providers import KEY, document, golden, media_type, provider, running, target, wants_stream
from services import Request, Service, answer

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
ASKED = {"model": "fast", "messages": [{"role": "user", "content": "Hi"}]}
STREAMED = {**ASKED, "stream": True}
CHAT = "/v1/chat/completions"
ENDS = {
    "openai": b'"stop"',
    "mistral": b'"stop"',
    "moonshot": b'"stop"',
    "anthropic": b"end_turn",
    "gemini": b"STOP",
    "ollama": b'"done":true',
}
"""How each provider says that it has finished."""


def cut(name: str, share: float) -> bytes:
    """The start of a provider's stream, and a connection that closes as if that were all."""
    data = golden(f"{name}.stream")
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {media_type(name)}\r\nConnection: close\r\n\r\n"
    return head.encode() + data[: int(len(data) * share)]


def broken(name: str) -> bytes:
    """The start of a provider's stream, and a connection that breaks."""
    data = golden(f"{name}.stream")
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {media_type(name)}\r\nContent-Length: 99999\r\n"
    head += "Connection: close\r\n\r\n"
    return head.encode() + data[: len(data) * 2 // 3]


def garbled(name: str) -> bytes:
    """A provider's stream with a piece that is none."""
    first, second, rest = golden(f"{name}.stream").split(b"\n\n", 2)
    data = first + b"\n\n" + second + b'\n\ndata: {"choices": [\n\n' + rest
    return answer(data, Content_Type=media_type(name))


@pytest.mark.parametrize("name", ["openai", "anthropic", "gemini", "mistral", "ollama", "moonshot"])
@pytest.mark.parametrize("share", [0.4, 0.6, 0.8])
def test_no_finish_is_made_up_for_a_stream_that_ends_early(name: str, share: float, tmp_path: Path) -> None:
    with (
        Service(reply=lambda _: cut(name, share)) as service,
        running(tmp_path, document(target(name, service))) as url,
    ):
        said = httpx.post(url + CHAT, json=STREAMED).text
    assert "[DONE]" not in said
    # Whoever had said nothing yet gets a plain error.
    last = json.loads(said.strip().rsplit("data: ", 1)[-1])
    assert last["error"]["code"] == "upstream_stream_truncated"
    if '"finish_reason":"stop"' in said:
        assert ENDS[name] in cut(name, share)


@pytest.mark.parametrize(("fault", "code"), [(broken, "dropped"), (garbled, "malformed")])
@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_a_stream_that_breaks_or_is_garbled_ends_with_an_error_that_libraries_raise(
    name: str, fault: object, code: str, tmp_path: Path
) -> None:
    with (
        Service(reply=lambda _: fault(name)) as service,  # type: ignore[operator]
        running(tmp_path, document(target(name, service))) as url,
    ):
        client = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
        with pytest.raises(openai.APIError) as raised:
            for _ in client.chat.completions.create(**STREAMED):  # type: ignore[call-overload]
                pass
        assert raised.value.code == f"upstream_stream_{code}"
        claude = anthropic.Anthropic(base_url=url, api_key=KEY, max_retries=0)
        with (
            pytest.raises(anthropic.APIError),
            claude.messages.stream(max_tokens=50, **ASKED) as stream,  # type: ignore[arg-type]
        ):
            stream.get_final_message()


def test_errors_of_providers_keep_status_and_retry_after(tmp_path: Path) -> None:
    said = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    reply = answer(json.dumps(said), "529 Overloaded", Retry_After="7", Content_Type="application/json")
    with (
        Service(reply=lambda _: reply) as service,
        running(tmp_path, document(target("anthropic", service))) as url,
    ):
        for body in (ASKED, STREAMED):
            response = httpx.post(url + CHAT, json=body)
            assert (response.status_code, response.headers["retry-after"]) == (529, "7")
            assert response.json()["error"]["type"] == "overloaded_error"


def refusing(status: str) -> Service:
    error = {"error": {"message": "no", "type": "x", "code": "x"}}
    return Service(reply=lambda _: answer(json.dumps(error), status, Content_Type="application/json"))


@pytest.mark.parametrize(
    ("status", "on", "stands_in"),
    [
        ("429 Too Many Requests", "rate_limited", True),
        ("503 Service Unavailable", "unavailable", True),
        ("500 Internal Server Error", "unavailable", True),
        ("401 Unauthorized", "key_refused", True),
        ("429 Too Many Requests", "unavailable", False),
        ("400 Bad Request", "unavailable", False),
    ],
)
def test_another_target_stands_in_for_the_failures_it_is_there_for(
    status: str, on: str, stands_in: bool, tmp_path: Path
) -> None:
    with refusing(status) as first, Service(reply=provider("anthropic")) as second:
        text = document(target("openai", first), target("anthropic", second, f", on: [{on}]"))
        with running(tmp_path, text) as url:
            for body in (ASKED, STREAMED):
                response = httpx.post(url + CHAT, json=body)
                assert response.status_code == (200 if stands_in else int(status[:3]))
                assert ("Hello" in response.text) == stands_in
    assert len(first.requests) == 2
    assert len(second.requests) == (2 if stands_in else 0)


def test_a_provider_that_is_not_there_is_told_in_the_callers_language(tmp_path: Path) -> None:
    with Service() as service:
        text = document(target("openai", service))
    with running(tmp_path, text) as url:
        response = httpx.post(url + CHAT, json=ASKED)
        assert (response.status_code, response.json()["error"]["code"]) == (503, "unavailable")
        response = httpx.post(url + "/v1/messages", json={**ASKED, "max_tokens": 5})
        assert (response.status_code, response.json()["type"]) == (503, "error")


def test_a_key_that_is_refused_rests_and_another_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOD", "good-key")

    def reply(request: Request) -> bytes:
        if request.all("authorization") == ["Bearer good-key"]:
            return provider("openai")(request)
        return answer('{"error": {"message": "no"}}', "401 Unauthorized", Content_Type="application/json")

    with Service(reply=reply) as service:
        keys = target("openai", service).replace(
            'key: "${env:PROVIDERS_KEY}"', 'keys: ["${env:PROVIDERS_KEY}", "${env:GOOD}"]'
        )
        with running(tmp_path, document(keys)) as url:
            for _ in range(4):
                assert httpx.post(url + CHAT, json=ASKED).status_code == 200
    refused = [request for request in service.requests if request.all("authorization") != ["Bearer good-key"]]
    assert len(refused) == 1


def test_a_provider_gets_nothing_that_was_meant_for_the_gateway(tmp_path: Path) -> None:
    with (
        Service(reply=provider("openai")) as service,
        running(tmp_path, document(target("openai", service))) as url,
    ):
        fields = {
            "Authorization": f"Bearer {KEY}",
            "Cookie": "session=1",
            "X-Secret": "2",
            "Accept-Encoding": "br",
        }
        assert httpx.post(url + CHAT, json=ASKED, headers=fields).status_code == 200
    [request] = service.requests
    names = {name.lower() for name, _ in request.headers}
    assert names == {
        "host",
        "content-type",
        "user-agent",
        "accept",
        "accept-encoding",
        "authorization",
        "content-length",
    }


def test_what_a_translation_loses_is_said(tmp_path: Path) -> None:
    with (
        Service(reply=provider("openai")) as service,
        running(tmp_path, document(target("openai", service))) as url,
    ):
        body = {**ASKED, "max_tokens": 5, "top_k": 3}
        response = httpx.post(url + "/v1/messages", json=body)
        assert response.status_code == 200
        assert "dropped=top_k" in response.headers["lockgate-lost"]
        assert "lockgate-lost" not in httpx.post(url + CHAT, json=ASKED).headers


def test_the_provider_is_left_when_the_caller_leaves(tmp_path: Path) -> None:
    piece = golden("openai.stream").split(b"\n\n")[1] + b"\n\n"
    closed: list[bool] = []

    def reply(_: Request) -> bytes:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        return head + b"%x\r\n%s\r\n" % (len(piece), piece)

    class Noticing(Service):
        def _serve(self, connection: object, number: int) -> None:
            super()._serve(connection, number)  # type: ignore[arg-type]
            closed.append(True)

    with Noticing(reply=reply) as service, running(tmp_path, document(target("openai", service))) as url:
        with httpx.stream("POST", url + CHAT, json=STREAMED) as response:
            next(response.iter_lines())
        for _ in range(200):
            if closed:
                break
            httpx.get(url + "/v1/models")
        assert closed
    assert wants_stream(service.requests[0])
