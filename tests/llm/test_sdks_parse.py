"""The official SDKs read what the golden tests of the Rust crate expect, each from a loopback server.

Without the SDKs (`openai`, `anthropic`, `google-genai`) the tests are skipped.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

# The SDKs leave their connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)

GOLDEN = Path(__file__).parents[2] / "rust/llm/tests/golden/answers"
PLAIN = sorted(path.stem for path in GOLDEN.glob("*.txt") if ".stream" not in path.stem)
STREAMS = sorted(path.stem for path in GOLDEN.glob("*.txt") if ".stream" in path.stem)
BROKEN = {"anthropic.stream_overloaded", "ollama.stream_error"}


def written(name: str, surface: str) -> bytes:
    """What is written for callers of a surface, after the line about losses."""
    for section in (GOLDEN / f"{name}.txt").read_text().split("=== ")[1:]:
        title, body = section.split("\n", 1)
        if title == surface:
            return body.split("\n", 1)[1].strip().encode() + b"\n\n"
    raise LookupError(surface)


@contextmanager
def serving(body: bytes, status: int = 200) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            kind = "application/json" if body.startswith(b"{") else "text/event-stream"
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def calls_of(name: str) -> list[str]:
    if "parallel" in name:
        return ["Oslo", "Rome"]
    return ["Oslo"] if "tools" in name else []


def hello_of(name: str) -> str:
    return (
        "Hello"
        if any(word in name for word in ("plain", "stream", "thinking")) and not calls_of(name)
        else ""
    )


@pytest.mark.parametrize("name", PLAIN)
def test_openai_reads_answers(name: str) -> None:
    openai = pytest.importorskip("openai")
    with serving(written(name, "openai_chat")) as url:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0)
        answer = client.chat.completions.create(model="fast", messages=[{"role": "user", "content": "Hi"}])
    message = answer.choices[0].message
    assert (message.content or "").startswith(hello_of(name))
    cities = [json.loads(call.function.arguments)["city"] for call in message.tool_calls or []]
    assert cities == calls_of(name)
    assert answer.choices[0].finish_reason in {"stop", "length", "tool_calls", "content_filter"}
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 12


@pytest.mark.parametrize("name", STREAMS)
def test_openai_reads_streams(name: str) -> None:
    openai = pytest.importorskip("openai")
    with serving(written(name, "openai_chat")) as url:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0)
        text, finish = "", None
        arguments: dict[int, str] = {}
        stream = client.chat.completions.create(
            model="fast", messages=[{"role": "user", "content": "Hi"}], stream=True
        )
        try:
            for chunk in stream:
                for choice in chunk.choices:
                    text += choice.delta.content or ""
                    finish = choice.finish_reason or finish
                    for call in choice.delta.tool_calls or []:
                        arguments[call.index] = arguments.get(call.index, "") + (
                            call.function.arguments or ""
                        )
        except openai.APIError as error:
            if name not in BROKEN or finish:
                raise AssertionError(name) from error
            return
    assert name not in BROKEN
    assert text.startswith(hello_of(name))
    assert finish
    assert [json.loads(value)["city"] for value in arguments.values()] == calls_of(name)


@pytest.mark.parametrize("name", PLAIN)
def test_openai_reads_responses(name: str) -> None:
    openai = pytest.importorskip("openai")
    with serving(written(name, "openai_responses")) as url:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0)
        answer = client.responses.create(model="fast", input="Hi")
    assert answer.output_text.startswith(hello_of(name))
    calls = [item for item in answer.output if item.type == "function_call"]
    assert [json.loads(call.arguments)["city"] for call in calls] == calls_of(name)


@pytest.mark.parametrize("name", STREAMS)
def test_openai_reads_streamed_responses(name: str) -> None:
    openai = pytest.importorskip("openai")
    with serving(written(name, "openai_responses")) as url:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0)
        try:
            with client.responses.stream(model="fast", input="Hi") as stream:
                final = [event for event in stream if event.type == "response.completed"]
        except openai.APIError:
            assert name in BROKEN
            return
    if name in BROKEN:
        assert not final
        return
    (done,) = final
    assert done.response.output_text.startswith(hello_of(name))
    calls = [item for item in done.response.output if item.type == "function_call"]
    assert [json.loads(call.arguments)["city"] for call in calls] == calls_of(name)


@pytest.mark.parametrize("name", PLAIN)
def test_anthropic_reads_answers(name: str) -> None:
    anthropic = pytest.importorskip("anthropic")
    with serving(written(name, "anthropic_messages")) as url:
        client = anthropic.Anthropic(base_url=url, api_key="x", max_retries=0)
        answer = client.messages.create(
            model="fast", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]
        )
    text = "".join(block.text for block in answer.content if block.type == "text")
    assert text.startswith(hello_of(name))
    assert [block.input["city"] for block in answer.content if block.type == "tool_use"] == calls_of(name)
    assert answer.stop_reason
    usage = answer.usage
    assert (
        usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
        == 12
    )


@pytest.mark.parametrize("name", STREAMS)
def test_anthropic_reads_streams(name: str) -> None:
    anthropic = pytest.importorskip("anthropic")
    with serving(written(name, "anthropic_messages")) as url:
        client = anthropic.Anthropic(base_url=url, api_key="x", max_retries=0)
        try:
            with client.messages.stream(
                model="fast", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]
            ) as stream:
                answer = stream.get_final_message()
        except anthropic.APIError:
            assert name in BROKEN
            return
    assert name not in BROKEN
    text = "".join(block.text for block in answer.content if block.type == "text")
    assert text.startswith(hello_of(name))
    assert answer.stop_reason
    assert [block.input["city"] for block in answer.content if block.type == "tool_use"] == calls_of(name)


def gemini(url: str) -> Any:
    genai = pytest.importorskip("google.genai")
    return genai.Client(api_key="x", http_options={"base_url": url})


@pytest.mark.parametrize("name", PLAIN)
def test_gemini_reads_answers(name: str) -> None:
    with serving(written(name, "gemini")) as url:
        client = gemini(url)
        answer = client.models.generate_content(model="fast", contents="Hi")
    parts = (answer.candidates[0].content.parts if answer.candidates else None) or []
    text = "".join(part.text for part in parts if part.text and not part.thought)
    assert text.startswith(hello_of(name))
    assert [part.function_call.args["city"] for part in parts if part.function_call] == calls_of(name)


@pytest.mark.parametrize("name", STREAMS)
def test_gemini_reads_streams(name: str) -> None:
    errors = pytest.importorskip("google.genai.errors")
    text, cities, finish = "", [], None
    with serving(written(name, "gemini")) as url:
        client = gemini(url)
        try:
            for chunk in client.models.generate_content_stream(model="fast", contents="Hi"):
                for candidate in chunk.candidates or []:
                    finish = candidate.finish_reason or finish
                    for part in (candidate.content and candidate.content.parts) or []:
                        text += (not part.thought and part.text) or ""
                        if part.function_call:
                            cities.append(part.function_call.args["city"])
        except errors.APIError as error:
            if name not in BROKEN or finish:
                raise AssertionError(name) from error
            return
    assert name not in BROKEN
    assert text.startswith(hello_of(name))
    assert finish
    assert cities == calls_of(name)
