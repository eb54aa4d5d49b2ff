"""The recording says why an answer ended, how much was reasoning, and by which prices it was counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import lockgate
import pytest
from llm.providers import KEY, PROVIDERS, document, golden, media_type, provider, recorded, running, target
from services import Service, answer

if TYPE_CHECKING:
    from conftest import Run
    from lockgate.models import ModelCall

PRICES = Path(__file__).parents[2] / "rust/llm/prices.json"
PRICE = ", price: { input: 1 USD, output: 10 USD }"
HI = [{"role": "user", "content": "Hi"}]
SURFACES: dict[str, tuple[str, dict[str, object]]] = {
    "chat": ("/v1/chat/completions", {"model": "fast", "max_tokens": 50, "messages": HI}),
    "responses": ("/v1/responses", {"model": "fast", "max_output_tokens": 50, "input": "Hi"}),
    "messages": ("/v1/messages", {"model": "fast", "max_tokens": 50, "messages": HI}),
    "gemini": ("/v1beta/models/fast:{}", {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}),
}
REASONING = {"openai": 3, "gemini": 3}
"""What the stand-ins say of it; the others say nothing."""


def ask(url: str, surface: str, *, stream: bool = False) -> httpx.Response:
    path, body = SURFACES[surface]
    if surface == "gemini":
        path = path.format("streamGenerateContent?alt=sse" if stream else "generateContent")
        return httpx.post(url + path, json=body)
    return httpx.post(url + path, json={**body, "stream": stream})


def calls(folder: Path) -> list[ModelCall]:
    return [event.model_call for event in recorded(folder) if event.model_call]


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_provider_is_heard_in_streams_and_plain_answers_on_every_surface(
    name: str, tmp_path: Path
) -> None:
    with (
        Service(reply=provider(name)) as service,
        running(tmp_path, document(target(name, service, PRICE))) as url,
    ):
        for surface in SURFACES:
            for stream in (False, True):
                assert ask(url, surface, stream=stream).status_code == 200
    found = [(one.finish, one.reasoning_tokens, one.priced_by) for one in calls(tmp_path)]
    whole = "stop_sequence" if name == "anthropic" else "stop"
    assert found == [(finish, REASONING.get(name), "document") for finish in (whole, "stop")] * len(SURFACES)


@pytest.mark.parametrize(
    ("name", "case", "finish"),
    [
        ("openai", "length", "length"),
        ("openai", "tools", "tool_calls"),
        ("anthropic", "refusal", "refusal"),
        ("anthropic", "tools", "tool_calls"),
        ("gemini", "safety", "content_filter"),
        ("gemini", "blocked", "content_filter"),
        ("ollama", "parallel", "tool_calls"),
    ],
)
def test_words_of_providers_become_one(name: str, case: str, finish: str, tmp_path: Path) -> None:
    with (
        Service(reply=provider(name, case)) as service,
        running(tmp_path, document(target(name, service))) as url,
    ):
        ask(url, "chat")
    assert [one.finish for one in calls(tmp_path)] == [finish]


@pytest.mark.parametrize("surface", SURFACES)
def test_nothing_is_made_up_where_the_provider_did_not_say(surface: str, tmp_path: Path) -> None:
    # It closes in order after the first words, before it has said why or what it took.
    cut = golden("openai.stream").partition(b'"finish_reason":"stop"')[0].rpartition(b"\n\n")[0] + b"\n\n"
    reply = answer(cut.decode(), Content_Type=media_type("openai"))
    with (
        Service(reply=lambda _: reply) as service,
        running(tmp_path, document(target("openai", service, PRICE))) as url,
    ):
        ask(url, surface, stream=True)
    (call,) = calls(tmp_path)
    assert call.failure == "upstream_stream_truncated"
    assert (call.finish, call.reasoning_tokens, call.cost, call.priced_by) == (None, None, None, None)


def test_a_cost_says_the_day_of_the_list_it_was_counted_by(tmp_path: Path) -> None:
    with Service(reply=provider("openai")) as service:
        unknown = target("openai", service)
        text = document(unknown).replace(unknown, unknown.replace("m-1", "gpt-5-mini"), 1)
        with running(tmp_path, text) as url:
            for model in ("fast", "slow"):
                body = {"model": model, "messages": HI}
                httpx.post(f"{url}/v1/chat/completions", json=body).raise_for_status()
    listed, unpriced = calls(tmp_path)
    assert (listed.provider_model, listed.priced_by) == ("gpt-5-mini", json.loads(PRICES.read_text())["date"])
    assert listed.cost
    assert (unpriced.provider_model, unpriced.priced_by, unpriced.cost) == ("m-1", None, None)


def test_an_answer_that_is_kept_or_withheld_says_why_it_ended_too(tmp_path: Path) -> None:
    again = (
        "{ id: key, kind: api_key, in: { header: Authorization } }, { id: again, kind: model_cache, for: 1h }"
    )
    with Service(reply=provider("openai", "length")) as service:
        with running(tmp_path, document(target("openai", service, PRICE), policies=again)) as url:
            for _ in range(2):
                body = SURFACES["chat"][1]
                httpx.post(
                    url + "/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {KEY}"}
                ).raise_for_status()
        first, second = calls(tmp_path)
        assert (first.finish, first.priced_by) == ("length", "document")
        # Nothing was taken, so no price was needed.
        assert (second.from_cache, second.finish, second.cost, second.priced_by) == (True, "length", 0, None)
    guard = "{ id: words, kind: completion_guard, phrases: [Hello] }"
    folder = tmp_path / "withheld"
    folder.mkdir()
    with (
        Service(reply=provider("openai")) as service,
        running(folder, document(target("openai", service, PRICE), policies=guard)) as url,
    ):
        assert ask(url, "chat").status_code == 403
    (withheld,) = calls(folder)
    assert (withheld.finish, withheld.reasoning_tokens, withheld.priced_by) == ("stop", 3, "document")


def test_people_see_what_a_call_took_why_it_ended_and_by_which_prices(tmp_path: Path, run: Run) -> None:
    with (
        Service(reply=provider("openai", "length")) as service,
        running(tmp_path, document(target("openai", service, PRICE))) as url,
    ):
        ask(url, "chat")
    (event,) = lockgate.Recording(tmp_path / "recording")
    shown = run("recording", "show", tmp_path / "recording", event.id).stdout
    assert (
        "model        fast, answered by openai m-1; 12 tokens in; 7 tokens out; 3 of them reasoning; "
        "0.000082 USD by the document's price; ended by length\n"
    ) in shown
