"""The gateway before a real llama.cpp server with a model that knows nothing: `make llamacpp`.

Not a part of the suite: the server is compiled from its source package first.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import lockgate
import pytest
from anthropic import Anthropic
from llm.providers import running
from openai import OpenAI

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".tools/llamacpp/bin/python"
TOKENS = 12
ASKED: dict[str, Any] = {
    "model": "local",
    "max_tokens": TOKENS,
    "messages": [{"role": "user", "content": "Hi"}],
}

# The SDKs leave their connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module")
def llamacpp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a llama.cpp server."""
    model = tmp_path_factory.mktemp("model") / "tiny.gguf"
    subprocess.run([PYTHON, ROOT / "scripts/tiny_model.py", model], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command: list[str | Path] = [
        PYTHON,
        "-m",
        "llama_cpp.server",
        "--model",
        model,
        "--chat_format",
        "chatml",
    ]
    command += ["--host", "127.0.0.1", "--port", str(port), "--n_ctx", "1024", "--n_threads", "1"]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as server:
        try:
            end = time.monotonic() + 60
            while True:
                try:
                    httpx.get(f"{url}/v1/models").raise_for_status()
                except httpx.TransportError:
                    assert server.poll() is None
                    assert time.monotonic() < end
                    time.sleep(0.1)
                else:
                    break
            yield url
        finally:
            server.terminate()


def document(llamacpp: str) -> str:
    """A gateway before it."""
    return f"""lockgate: 1
purposes: optional
admin: {{ bind: "127.0.0.1:0" }}
listeners: {{ public: {{ bind: "127.0.0.1:0" }} }}
recording: {{ directory: recording }}
models:
  local: {{ targets: [{{ provider: openai, model: tiny, url: "{llamacpp}", price: free }}] }}
policies: [{{ id: rate, kind: token_limit, limit: 100000, per: day }}]
apis: {{ ai: {{ versions: {{ v1: {{ base: /ai, models: [local] }} }} }} }}
"""


@pytest.fixture
def url(llamacpp: str, tmp_path: Path) -> Iterator[str]:
    with running(tmp_path, document(llamacpp)) as url:
        yield url


def test_a_chat_is_settled_to_what_the_server_counted(llamacpp: str, tmp_path: Path) -> None:
    with running(tmp_path, document(llamacpp)) as url:
        answers = [httpx.post(f"{url}/v1/chat/completions", json=ASKED, timeout=60) for _ in range(2)]
    left = [int(answer.headers["ratelimit"].split(";r=")[1].split(";")[0]) for answer in answers]
    usage = answers[0].json()["usage"]
    assert usage["completion_tokens"] <= TOKENS
    assert left[0] - left[1] == usage["total_tokens"]
    first, _ = lockgate.Recording(tmp_path / "recording")
    assert first.model_call
    assert first.model_call.output_tokens == usage["completion_tokens"]


def test_official_clients_read_its_streams(url: str) -> None:
    with OpenAI(base_url=f"{url}/v1", api_key="none") as client:
        chunks = list(
            client.chat.completions.create(**ASKED, stream=True, stream_options={"include_usage": True})
        )
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] in {"length", "stop"}
    with (
        Anthropic(base_url=url, api_key="none") as other,
        other.messages.stream(**ASKED) as stream,
    ):
        message = stream.get_final_message()
    assert message.stop_reason in {"max_tokens", "end_turn"}


def test_gemini_and_responses_are_answered(url: str) -> None:
    gemini = {
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "generationConfig": {"maxOutputTokens": TOKENS},
    }
    found = httpx.post(f"{url}/v1beta/models/local:generateContent", json=gemini, timeout=60).json()
    assert found["candidates"][0]["finishReason"] in {"MAX_TOKENS", "STOP"}
    responses = {"model": "local", "input": "Hi", "max_output_tokens": TOKENS}
    answer = httpx.post(f"{url}/v1/responses", json=responses, timeout=60).json()
    assert answer["status"] in {"incomplete", "completed"}


def test_a_caller_who_leaves_a_stream_leaves_the_server_free_for_the_next(url: str) -> None:
    endless = {**ASKED, "max_tokens": 900, "stream": True}
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=endless, timeout=60) as answer:
        first = next(line for line in answer.iter_lines() if line.startswith("data: "))
        assert json.loads(first.removeprefix("data: "))["object"] == "chat.completion.chunk"
    assert httpx.post(f"{url}/v1/chat/completions", json=ASKED, timeout=60).status_code == 200
