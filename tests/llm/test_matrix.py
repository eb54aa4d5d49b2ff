"""Official client libraries before the gateway, six providers behind it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import types
from llm.providers import KEY, PROVIDERS, PROVIDERS_KEY, document, provider, running, target
from services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The libraries leave their connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
HELLO: Any = [{"role": "user", "content": "Hi"}]
WEATHER: Any = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.fixture(params=PROVIDERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def service(name: str, request: pytest.FixtureRequest) -> Iterator[Service]:
    marker = request.node.get_closest_marker("case")
    with Service(reply=provider(name, *(marker.args if marker else ()))) as service:
        yield service


@pytest.fixture
def url(name: str, service: Service, tmp_path: Path) -> Iterator[str]:
    with running(tmp_path, document(target(name, service))) as url:
        yield url


def of_openai(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)


def of_anthropic(url: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=url, api_key=KEY, max_retries=0)


def of_google(url: str) -> genai.Client:
    return genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=url))


def test_openai_chats(url: str, service: Service, name: str) -> None:
    answer = of_openai(url).chat.completions.create(model="fast", messages=HELLO)
    assert (answer.choices[0].message.content or "").startswith("Hello")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (12, 7)
    [request] = service.requests
    sent = dict(request.headers)
    keys = [value for field, value in request.headers if PROVIDERS_KEY in value]
    assert len(keys) == 1, sent
    assert KEY not in str(request.headers)
    if name != "gemini":
        assert json.loads(request.body)["model"] == "m-1"


def test_openai_streams(url: str) -> None:
    stream = of_openai(url).chat.completions.create(
        model="fast",
        messages=HELLO,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    ends = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert (text[:5], ends) == ("Hello", ["stop"])
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 7


def test_openai_asks_for_responses(url: str) -> None:
    client = of_openai(url)
    answer = client.responses.create(model="fast", input="Hi")
    assert (answer.output_text[:5], answer.status) == ("Hello", "completed")
    with client.responses.stream(model="fast", input="Hi") as stream:
        final = stream.get_final_response()
    assert (final.output_text[:5], final.status) == ("Hello", "completed")


def test_anthropic_asks_and_streams(url: str) -> None:
    client = of_anthropic(url)
    answer = client.messages.create(model="fast", max_tokens=50, messages=HELLO)
    assert [block.text[:5] for block in answer.content if block.type == "text"] == ["Hello"]
    assert answer.stop_reason in {"end_turn", "stop_sequence"}
    assert answer.usage.output_tokens == 7
    with client.messages.stream(model="fast", max_tokens=50, messages=HELLO) as stream:
        final = stream.get_final_message()
    assert [block.text[:5] for block in final.content if block.type == "text"] == ["Hello"]
    assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", 7)


def test_google_asks_and_streams(url: str) -> None:
    client = of_google(url)
    answer = client.models.generate_content(model="fast", contents="Hi")
    assert (answer.text or "").startswith("Hello")
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.prompt_token_count == 12
    chunks = list(client.models.generate_content_stream(model="fast", contents="Hi"))
    assert "".join(chunk.text or "" for chunk in chunks).startswith("Hello")
    ends = [one.finish_reason for chunk in chunks for one in chunk.candidates or [] if one.finish_reason]
    assert ends == [types.FinishReason.STOP]


@pytest.mark.case("parallel")
def test_each_library_calls_two_tools_at_once(url: str) -> None:
    cities = ["Oslo", "Rome"]
    function: Any = {"name": "weather", "description": "The weather", "parameters": WEATHER}
    of_chat = of_openai(url).chat.completions.create(
        model="fast",
        messages=HELLO,
        tools=[{"type": "function", "function": function}],
    )
    calls: list[Any] = of_chat.choices[0].message.tool_calls or []
    assert [json.loads(call.function.arguments)["city"] for call in calls] == cities
    assert of_chat.choices[0].finish_reason == "tool_calls"
    of_messages = of_anthropic(url).messages.create(
        model="fast",
        max_tokens=50,
        messages=HELLO,
        tools=[{"name": "weather", "input_schema": WEATHER}],
    )
    uses = [block.input["city"] for block in of_messages.content if block.type == "tool_use"]
    assert (uses, of_messages.stop_reason) == (cities, "tool_use")
    tool = types.Tool(
        function_declarations=[types.FunctionDeclaration(name="weather", parameters_json_schema=WEATHER)]
    )
    # A client that nobody holds closes its connections.
    google = of_google(url)
    of_content = google.models.generate_content(
        model="fast",
        contents="Hi",
        config=types.GenerateContentConfig(
            tools=[tool], automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True)
        ),
    )
    assert [(call.args or {})["city"] for call in of_content.function_calls or []] == cities


def test_the_models_of_the_gateway_are_listed(url: str) -> None:
    assert [model.id for model in of_openai(url).models.list()] == ["fast", "slow"]
    claude = of_anthropic(url)
    assert [model.id for model in claude.models.list()] == ["fast", "slow"]
    google = of_google(url)
    assert [model.name for model in google.models.list()] == ["models/fast", "models/slow"]
