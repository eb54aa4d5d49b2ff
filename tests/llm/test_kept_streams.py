"""The answer of a stream that ended well is kept, for plain requests and for streams."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest
from llm.providers import KEY, PROVIDERS, document, golden, media_type, provider, recorded, running, target
from llm.test_model_cache import AGAIN, CHAT, IDENTIFIED, OTHER_KEY, PRICE, asked, of, post, with_kiosk
from services import Request, Service, answer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MISS, HIT = "lockgate; fwd=miss", "lockgate; hit"


def chunk(delta: object, finish: str | None = None, logprobs: object = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
    whole = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "choices": [choice]}
    return f"data: {json.dumps(whole, separators=(',', ':'))}\n\n"


def streamed(*pieces: object, finish: str | None = "stop", logprobs: object = None) -> bytes:
    said = "".join(chunk({"content": piece}, logprobs=logprobs) for piece in pieces)
    end = chunk({}, finish) if finish else ""
    return answer(f"{said}{end}data: [DONE]\n\n", Content_Type=media_type("openai"))


def content(response: httpx.Response) -> str:
    """What a chat was answered, plain or in a stream."""
    if not response.headers["content-type"].startswith("text/event-stream"):
        return str(response.json()["choices"][0]["message"]["content"])
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: {")]
    deltas: Iterable[dict[str, str]] = (
        choice["delta"] for line in lines for choice in json.loads(line).get("choices", [])
    )
    return "".join(delta.get("content") or "" for delta in deltas)


@pytest.mark.parametrize("name", PROVIDERS)
def test_what_a_provider_streamed_answers_the_same_question_plain_and_streamed(
    name: str, tmp_path: Path
) -> None:
    with (
        Service(reply=provider(name)) as service,
        running(tmp_path, document(target(name, service, PRICE), policies=f"{IDENTIFIED}, {AGAIN}")) as url,
    ):
        first = post(url + CHAT, asked(stream=True))
        plain = post(url + CHAT, asked())
        stream = post(url + CHAT, asked(stream=True))
    assert len(service.requests) == 1
    # When the head of a stream is sent, nobody knows yet how it will end.
    assert (of(first), of(plain), of(stream)) == (MISS, HIT, HIT)
    assert content(plain) == content(stream) == content(first)
    assert content(plain).startswith("Hello")
    assert plain.json()["choices"][0]["finish_reason"] == "stop"
    assert plain.json()["usage"]["total_tokens"] == 19
    assert stream.text.endswith("data: [DONE]\n\n")
    calls = [event.model_call for event in recorded(tmp_path)]
    assert [(call.from_cache, call.cost, call.finish) for call in calls if call] == [
        (False, 82, "stop"),
        (True, 0, "stop"),
        (True, 0, "stop"),
    ]


@pytest.mark.parametrize("name", ["openai", "anthropic", "gemini", "ollama"])
def test_calls_of_tools_are_kept_whole(name: str, tmp_path: Path) -> None:
    reply = answer(golden(f"{name}.stream_parallel").decode(), Content_Type=media_type(name))
    with (
        Service(reply=lambda _: reply) as service,
        running(tmp_path, document(target(name, service), policies=f"{IDENTIFIED}, {AGAIN}")) as url,
    ):
        post(url + CHAT, asked(stream=True))
        plain = post(url + CHAT, asked())
    assert (of(plain), len(service.requests)) == (HIT, 1)
    choice = plain.json()["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    calls = [
        (call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in choice["message"]["tool_calls"]
    ]
    assert len(calls) == 2
    assert all(arguments for _, arguments in calls)
    assert len({call["id"] for call in choice["message"]["tool_calls"]}) == 2


def beginning(**fields: str) -> bytes:
    """The head and the first words of a stream."""
    head = {"Content-Type": media_type("openai"), "Content-Length": "9999", **fields}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode() + golden("openai.stream")[:400]


@pytest.mark.parametrize(
    ("what", "reply"),
    [
        ("the connection broke", beginning(Connection="close")),
        ("nobody said why it ended", streamed("Hello", finish=None)),
        ("a filter took it", streamed("Hello", finish="content_filter")),
        ("it says more than events do", streamed("Hello", logprobs={"content": [{"token": "Hello"}]})),
        ("it holds a piece of no known kind", streamed([{"type": "x"}])),
        ("the guard withheld it", streamed("the alba", "tross")),
        ("it is too long", streamed("Hello " * 200)),
    ],
)
def test_what_did_not_end_well_or_is_not_all_there_is_not_kept(
    what: str, reply: bytes, tmp_path: Path
) -> None:
    guard = "{ id: words, kind: completion_guard, phrases: [albatross] }"
    again = AGAIN.replace("1h", "1h, up_to: 1000B")
    if what != "the guard withheld it":
        guard = "{ id: words, kind: completion_guard, phrases: [nothing], mode: shadow }"
    with Service(reply=lambda _: reply) as service:
        text = document(target("openai", service), policies=f"{IDENTIFIED}, {again}, {guard}")
        with running(tmp_path, text) as url:
            for _ in range(2):
                post(url + CHAT, asked(stream=True))
    assert len(service.requests) == 2, what


def test_a_stream_that_fits_is_kept_with_the_same_bound(tmp_path: Path) -> None:
    again = AGAIN.replace("1h", "1h, up_to: 1000B")
    with (
        Service(reply=lambda _: streamed(*["Hello "] * 50)) as service,
        running(tmp_path, document(target("openai", service), policies=f"{IDENTIFIED}, {again}")) as url,
    ):
        post(url + CHAT, asked(stream=True))
        assert of(post(url + CHAT, asked())) == HIT


def test_a_caller_who_leaves_keeps_nothing(tmp_path: Path) -> None:
    replies = iter((beginning(), streamed("Hello")))
    with (
        Service(reply=lambda _: next(replies)) as service,
        running(tmp_path, document(target("openai", service), policies=f"{IDENTIFIED}, {AGAIN}")) as url,
    ):
        headers = {"Authorization": f"Bearer {KEY}"}
        with httpx.stream("POST", url + CHAT, json=asked(stream=True), headers=headers) as response:
            next(response.iter_raw())
        assert of(post(url + CHAT, asked(stream=True))) == MISS
    assert len(service.requests) == 2


def test_guards_judge_what_was_streamed_for_each_who_gets_it(tmp_path: Path) -> None:
    strict = "'x-strict' in request.headers"
    guard = f'{{ id: words, kind: completion_guard, phrases: [albatross], when: "{strict}" }}'
    with Service(reply=lambda _: streamed("the alba", "tross")) as service:
        text = document(target("openai", service), policies=f"{IDENTIFIED}, {AGAIN}, {guard}")
        with running(tmp_path, text) as url:
            post(url + CHAT, asked(stream=True))
            free = post(url + CHAT, asked())
            plain = post(url + CHAT, asked(), **{"X-Strict": "yes"})
            stream = post(url + CHAT, asked(stream=True), **{"X-Strict": "yes"})
    assert len(service.requests) == 1
    assert content(free) == "the albatross"
    for response in (plain, stream):
        assert response.status_code == 403
        assert "albatross" not in response.text
        assert "completion_guard.withheld" in response.text


def test_what_was_taken_out_of_a_streamed_prompt_is_put_back_for_each_caller_of_their_own(
    tmp_path: Path,
) -> None:
    def reply(request: Request) -> bytes:
        said = json.loads(request.body)["messages"][0]["content"]
        half = len(said) // 2
        return streamed(said[:half], said[half:])

    policies = (
        f"{IDENTIFIED}, {{ id: privacy, kind: redact_prompt }}, {AGAIN.replace('1h', '1h, by: everyone')}"
    )
    with Service(reply=reply) as service:
        text = with_kiosk(document(target("openai", service), policies=policies))
        with running(tmp_path, text) as url:
            mine = post(url + CHAT, asked("mail ada@lovelace.dev", stream=True))
            theirs = post(url + CHAT, asked("mail bob@kahn.dev"), OTHER_KEY)
            streams = post(url + CHAT, asked("mail eve@kahn.dev", stream=True), OTHER_KEY)
    assert len(service.requests) == 1
    assert [content(one) for one in (mine, theirs, streams)] == [
        "mail ada@lovelace.dev",
        "mail bob@kahn.dev",
        "mail eve@kahn.dev",
    ]
