"""Answers of models that are given again, and what they cost then."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import httpx
import lockgate
import pytest
from llm.providers import KEY, PROVIDERS, document, golden, media_type, provider, recorded, running, target
from services import Request, Service, answer

if TYPE_CHECKING:
    from pathlib import Path

CHAT = "/v1/chat/completions"
OTHER_KEY = "lg_kiosk_0123456789"
IDENTIFIED = "{ id: key, kind: api_key, in: { header: Authorization } }"
AGAIN = "{ id: again, kind: model_cache, for: 1h }"
PRICE = ", price: { input: 1 USD, output: 10 USD }"


def asked(text: str = "Hi", **more: object) -> dict[str, object]:
    return {"model": "fast", "max_tokens": 50, "messages": [{"role": "user", "content": text}], **more}


def post(url: str, body: object, key: str = KEY, **headers: str) -> httpx.Response:
    return httpx.post(url, json=body, headers={"Authorization": f"Bearer {key}", **headers})


def of(response: httpx.Response) -> str:
    return response.headers["cache-status"].split("; ttl")[0]


def with_kiosk(text: str, team: str = "") -> str:
    """The document with a second application."""
    kiosk = f'kiosk: {{ {team}keys: [{{ sha256: "{hashlib.sha256(OTHER_KEY.encode()).hexdigest()}" }}] }}'
    return text.replace("applications: { shop", f"applications: {{ {kiosk}, shop")


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_same_question_is_asked_of_the_provider_once_and_answered_as_a_stream_too(
    name: str, tmp_path: Path
) -> None:
    with (
        Service(reply=provider(name)) as service,
        running(tmp_path, document(target(name, service), policies=f"{IDENTIFIED}, {AGAIN}")) as url,
    ):
        first = post(url + CHAT, asked())
        second = post(url + CHAT, dict(reversed(asked().items())))
        stream = post(url + CHAT, asked(stream=True))
        assert len(service.requests) == 1
        assert (of(first), of(second), of(stream)) == (
            "lockgate; fwd=miss; stored",
            "lockgate; hit",
            "lockgate; hit",
        )
        assert first.json()["choices"] == second.json()["choices"]
        assert 'content":"Hello there' in stream.text
        assert stream.text.endswith("data: [DONE]\n\n")
        post(url + CHAT, asked("Another question"))
        post(url + CHAT, asked(temperature=0))
    assert len(service.requests) == 3
    calls = [event.model_call for event in recorded(tmp_path)]
    kept = [call for call in calls if call and call.from_cache]
    assert len(kept) == 2
    assert {(call.input_tokens, call.output_tokens, call.cost) for call in kept} == {(0, 0, 0)}
    assert {call.provider for call in kept} == {name}


def test_two_applications_share_nothing_unless_it_is_said(tmp_path: Path) -> None:
    for again, team, shares in [
        (AGAIN, "team: search, ", False),
        (AGAIN.replace("1h", "1h, by: team"), "team: search, ", True),
        (AGAIN.replace("1h", "1h, by: team"), "team: sales, ", False),
        (AGAIN.replace("1h", "1h, by: everyone"), "", True),
    ]:
        policies = f"{IDENTIFIED}, {again}"
        with Service(reply=provider("openai")) as service:
            text = with_kiosk(document(target("openai", service), policies=policies), team)
            with running(tmp_path, text) as url:
                assert of(post(url + CHAT, asked())) == "lockgate; fwd=miss; stored"
                other = post(url + CHAT, asked(), OTHER_KEY)
        assert other.status_code == 200
        assert (of(other) == "lockgate; hit") is shares, again
        assert len(service.requests) == 2 - shares


def test_whoever_is_not_identified_has_no_answers_kept(tmp_path: Path) -> None:
    with (
        Service(reply=provider("openai")) as service,
        running(tmp_path, document(target("openai", service), policies=AGAIN)) as url,
    ):
        responses = [httpx.post(url + CHAT, json=asked()) for _ in range(2)]
    assert all("cache-status" not in response.headers for response in responses)
    assert len(service.requests) == 2


def test_what_is_given_again_takes_nothing_from_budget_and_limit(tmp_path: Path) -> None:
    policies = (
        f"{IDENTIFIED}, {AGAIN}, {{ id: purse, kind: budget, limit: 0.01 USD, per: day }}, "
        "{ id: rate, kind: token_limit, limit: 1000, per: day }"
    )

    def left(response: httpx.Response) -> list[int]:
        shown = response.headers.get_list("ratelimit", split_commas=True)
        return [int(one.split(";r=")[1].split(";")[0]) for one in shown]

    with (
        Service(reply=provider("openai")) as service,
        running(tmp_path, document(target("openai", service, PRICE), policies=policies)) as url,
    ):
        first, *again = [post(url + CHAT, asked()) for _ in range(4)]
        fresh = post(url + CHAT, asked(), **{"Cache-Control": "no-cache"})
        last = post(url + CHAT, asked())
    assert [of(response) for response in again] == ["lockgate; hit"] * 3
    assert of(fresh) == "lockgate; fwd=miss; stored"
    # A call costs 82 millionths and takes 19 tokens; each shows the most that it could take itself.
    assert [left(first)[at] - left(again[0])[at] for at in (0, 1)] == [82, 19]
    assert [left(response) for response in (*again, fresh)] == [left(again[0])] * 4
    assert [left(fresh)[at] - left(last)[at] for at in (0, 1)] == [82, 19]
    assert len(service.requests) == 2


def test_errors_and_what_broke_off_or_was_withheld_are_not_kept(tmp_path: Path) -> None:
    def completion(finish: str | None, text: str = "Hello") -> bytes:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
        whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "m-1", "choices": [choice]}
        return answer(json.dumps(whole), Content_Type="application/json")

    def cut(_: Request) -> bytes:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {media_type('openai')}\r\nConnection: close\r\n\r\n"
        return head.encode() + golden("openai.stream")[:400]

    down = answer('{"error": {"message": "no"}}', "503 Service Unavailable", Content_Type="application/json")
    guard = "{ id: words, kind: completion_guard, phrases: [albatross] }"
    for reply, body in [
        (lambda _: down, asked()),
        (lambda _: completion("content_filter"), asked()),
        (lambda _: completion("stop", "the albatross"), asked()),
        (cut, asked(stream=True)),
    ]:
        with Service(reply=reply) as service:
            text = document(target("openai", service), policies=f"{IDENTIFIED}, {AGAIN}, {guard}")
            with running(tmp_path, text) as url:
                for _ in range(2):
                    post(url + CHAT, body)
            assert len(service.requests) == 2


def test_what_was_taken_out_of_a_prompt_is_put_back_for_each_caller_of_their_own(tmp_path: Path) -> None:
    def reply(request: Request) -> bytes:
        said = json.loads(request.body)["messages"][0]["content"]
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "m-1", "choices": [choice]}
        return answer(json.dumps(whole), Content_Type="application/json")

    policies = (
        f"{IDENTIFIED}, {{ id: privacy, kind: redact_prompt }}, {AGAIN.replace('1h', '1h, by: everyone')}"
    )
    with Service(reply=reply) as service:
        text = with_kiosk(document(target("openai", service), policies=policies))
        with running(tmp_path, text) as url:
            mine = post(url + CHAT, asked("mail ada@lovelace.dev"))
            theirs = post(url + CHAT, asked("mail bob@kahn.dev"), OTHER_KEY)
    assert len(service.requests) == 1
    assert mine.json()["choices"][0]["message"]["content"] == "mail ada@lovelace.dev"
    assert theirs.json()["choices"][0]["message"]["content"] == "mail bob@kahn.dev"


def test_kept_answers_can_be_purged_by_tag(tmp_path: Path) -> None:
    again = AGAIN.replace("1h", "1h, tags: [help]")
    with Service(reply=provider("openai")) as service:
        path = tmp_path / "gateway.yaml"
        path.write_text(document(target("openai", service), policies=f"{IDENTIFIED}, {again}"))
        with lockgate.Gateway(path) as gateway:
            url = f"{gateway.urls['public']}/ai{CHAT}"
            for tag, found in [(None, "fwd=miss; stored"), ("other", "hit"), ("help", "fwd=miss; stored")]:
                if tag:
                    httpx.post(f"http://{gateway.admin}/purge", params={"tag": tag}).raise_for_status()
                assert of(post(url, asked())) == f"lockgate; {found}"
            counted = httpx.get(f"http://{gateway.admin}/metrics").text
    labels = 'gen_ai_request_model="fast",gen_ai_provider_name="openai"'
    assert f"lockgate_model_cache_hits_total{{{labels}}} 1" in counted
