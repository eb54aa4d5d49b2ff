"""Faults of another project's simulator behind the gateway, official libraries before it: it judges both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import httpx
import openai
import pytest
from llm.providers import KEY, document, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

llmock = pytest.importorskip("llmock")

from llmock.chaos import StreamChaos  # noqa: E402
from llmock.scenarios import Fail, StreamFault  # noqa: E402
from llmock.testing import LLMockServer  # noqa: E402

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
HELLO: Any = [{"role": "user", "content": "Hi"}]
TIMEOUTS = ", timeouts: { first_token: 20s, between_tokens: 2s }"
"""On a busy machine a second is nothing, and what came too late would be another fault than the one meant."""


@pytest.fixture
def simulator() -> Iterator[LLMockServer]:
    with LLMockServer() as server:
        # Who is left in the midst of a stream must be able to notice it: all at once counts as taken.
        server.state.stream_chaos = StreamChaos(chunk_delay_ms=20)
        yield server


@pytest.fixture(params=["openai", "anthropic"])
def url(request: pytest.FixtureRequest, simulator: LLMockServer, tmp_path: Path) -> Iterator[str]:
    """A gateway before a simulated provider: one language of callers passes, the other is translated."""
    base = {"openai": simulator.url, "anthropic": simulator.base_url("anthropic")}[request.param]
    target = f'{{ provider: {request.param}, model: m-1, url: "{base}", key: "${{env:PROVIDERS_KEY}}" }}'
    with running(tmp_path, document(target, model=TIMEOUTS)) as address:
        yield address


def of_openai(url: str, retries: int = 2) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=retries)


def streamed_by_openai(url: str) -> str:
    # Asked once: a library that tries again by itself would get a whole answer.
    client = of_openai(url, retries=0)
    stream = client.chat.completions.create(model="fast", messages=HELLO, stream=True)
    chunks = [choice for chunk in stream for choice in chunk.choices]
    assert chunks[-1].finish_reason == "stop"
    return "".join(choice.delta.content or "" for choice in chunks)


def streamed_by_anthropic(url: str) -> str:
    client = anthropic.Anthropic(base_url=url, api_key=KEY, max_retries=0)
    with client.messages.stream(model="fast", max_tokens=50, messages=HELLO) as stream:
        text = "".join(stream.text_stream)
        assert stream.get_final_message().stop_reason == "end_turn"
    return text


def is_right(simulator: LLMockServer) -> dict[str, Any]:
    verdict: dict[str, Any] = httpx.get(simulator.url + "/_llmock/verdict").json()
    assert verdict["passed"], verdict
    assert verdict["faults_injected"] >= 1
    return verdict


@pytest.mark.parametrize("fault", [Fail(429, retry_after=1.0), Fail(500), Fail(503)], ids=str)
def test_libraries_retry_what_may_be_retried_and_wait_as_long_as_the_provider_says(
    fault: Fail, url: str, simulator: LLMockServer
) -> None:
    simulator.state.scenarios.add(fault)
    answer = of_openai(url).chat.completions.create(model="fast", messages=HELLO)
    assert answer.choices[0].message.content
    assert is_right(simulator)["attempts"] == 2


@pytest.mark.parametrize("status", [400, 403])
def test_nobody_retries_what_cannot_succeed(status: int, url: str, simulator: LLMockServer) -> None:
    simulator.state.scenarios.add(Fail(status))
    with pytest.raises(openai.APIStatusError) as refused:
        of_openai(url).chat.completions.create(model="fast", messages=HELLO)
    assert refused.value.status_code == status
    assert is_right(simulator)["attempts"] == 1


@pytest.mark.parametrize("ask", [streamed_by_openai, streamed_by_anthropic])
@pytest.mark.parametrize("kind", ["truncate", "malformed", "stall", "disconnect"])
def test_no_half_answer_passes_for_a_whole_one(
    kind: Any, ask: Callable[[str], str], url: str, simulator: LLMockServer
) -> None:
    simulator.state.scenarios.add(StreamFault(kind, after_chunks=4, stall_seconds=6))
    with pytest.raises((openai.APIError, anthropic.APIError)):
        ask(url)
    # Whoever is told can ask again.
    assert ask(url)
    assert is_right(simulator)["calls"] == 1
