"""Tokens and money are reserved before a call and settled after it."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import TYPE_CHECKING

import httpx
import lockgate
import pytest
from llm.providers import KEY, document, golden, media_type, provider, running, target, wants_stream
from services import Request, Service, answer

if TYPE_CHECKING:
    from pathlib import Path

ASKED = {"model": "fast", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}
CHAT = "/v1/chat/completions"
PRICE = ", price: { input: 1 USD, output: 10 USD }"
"""A call that took 12 and 7 tokens costs 82 millionths."""
IDENTIFIED = "{ id: key, kind: api_key, in: { header: Authorization } }"
OF_SHOP = {"Authorization": f"Bearer {KEY}"}


def left(response: httpx.Response) -> int:
    return int(response.headers["ratelimit"].split(";r=")[1].split(";")[0])


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_is_settled_to_what_it_took(stream: bool, tmp_path: Path) -> None:
    policies = "{ id: purse, kind: budget, limit: 0.01 USD, per: day }"
    policies += ", { id: rate, kind: token_limit, limit: 1000, per: day }"
    with (
        Service(reply=provider("openai")) as service,
        running(tmp_path, document(target("openai", service, PRICE), policies=policies)) as url,
    ):
        body = {**ASKED, "stream": stream}
        responses = [httpx.post(url + CHAT, json=body) for _ in range(3)]
    assert [response.status_code for response in responses] == [200] * 3
    # What is shown includes the most that the call itself can take.
    money = [left(response) for response in responses]
    assert money[0] - money[1] == 82
    assert money[1] - money[2] == 82


def test_a_call_that_could_take_too_much_is_refused_in_the_callers_language(tmp_path: Path) -> None:
    policies = "{ id: rate, kind: token_limit, limit: 150, per: 1m }"
    with (
        Service(reply=provider("openai")) as service,
        running(tmp_path, document(target("openai", service), policies=policies)) as url,
    ):
        assert httpx.post(url + CHAT, json=ASKED).status_code == 200
        refused = httpx.post(url + CHAT, json={**ASKED, "max_tokens": 140})
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "token_limit.exceeded"
        assert "max_tokens" in refused.json()["error"]["message"]
        assert int(refused.headers["retry-after"]) <= 60
        claude = httpx.post(url + "/v1/messages", json={**ASKED, "max_tokens": 140})
        assert (claude.status_code, claude.json()["error"]["type"]) == (429, "rate_limit_error")
        # What was refused took nothing.
        assert httpx.post(url + CHAT, json={**ASKED, "max_tokens": 60}).status_code == 200
    assert len(service.requests) == 2


def test_an_answer_without_a_bound_gets_the_one_that_was_reserved(tmp_path: Path) -> None:
    policies = "{ id: rate, kind: token_limit, limit: 100000, per: 1m }"
    with (
        Service(reply=provider("openai")) as service,
        running(
            tmp_path, document(target("openai", service), policies=policies, model=", max_output_tokens: 321")
        ) as url,
    ):
        body = {key: value for key, value in ASKED.items() if key != "max_tokens"}
        assert httpx.post(url + CHAT, json=body).status_code == 200
    assert json.loads(service.requests[0].body)["max_completion_tokens"] == 321


def test_what_broke_off_without_a_word_stays_at_the_most(tmp_path: Path) -> None:
    def reply(request: Request) -> bytes:
        if not wants_stream(request):
            return provider("openai")(request)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {media_type('openai')}\r\nConnection: close\r\n\r\n"
        return head.encode() + golden("openai.stream")[:300]

    policies = "{ id: rate, kind: token_limit, limit: 400, per: day }"
    with (
        Service(reply=reply) as service,
        running(tmp_path, document(target("openai", service), policies=policies)) as url,
    ):
        assert httpx.post(url + CHAT, json={**ASKED, "max_tokens": 300, "stream": True}).status_code == 200
        assert httpx.post(url + CHAT, json=ASKED).status_code == 429


def test_a_provider_that_refused_took_nothing(tmp_path: Path) -> None:
    reply = answer('{"error": {"message": "no"}}', "503 Service Unavailable", Content_Type="application/json")
    policies = "{ id: rate, kind: token_limit, limit: 150, per: day }"
    with (
        Service(reply=lambda _: reply) as service,
        running(tmp_path, document(target("openai", service), policies=policies)) as url,
    ):
        assert [httpx.post(url + CHAT, json=ASKED).status_code for _ in range(5)] == [503] * 5


def test_a_model_without_a_known_price_is_refused_by_a_budget_and_a_free_one_is_not(tmp_path: Path) -> None:
    policies = "{ id: purse, kind: budget, limit: 1 USD, per: month }"
    with Service(reply=provider("openai")) as service:
        with running(tmp_path, document(target("openai", service), policies=policies)) as url:
            refused = httpx.post(url + CHAT, json=ASKED)
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "policy.undecided")
        with running(
            tmp_path, document(target("openai", service, ", price: free"), policies=policies)
        ) as url:
            assert httpx.post(url + CHAT, json=ASKED).status_code == 200


CONNECTIONS = 400
CALLS_OF_EACH = 25


async def statuses_of(url: httpx.URL, key: dict[str, str]) -> list[int]:
    """Ask on one connection, call after call; by hand, as a client library would be most of the work."""
    body = json.dumps(ASKED).encode()
    fields = {
        "Host": url.netloc.decode(),
        "Content-Type": "application/json",
        "Content-Length": len(body),
        **key,
    }
    head = f"POST {url.path}{CHAT} HTTP/1.1\r\n" + "".join(f"{name}: {of}\r\n" for name, of in fields.items())
    reader, writer = await asyncio.open_connection(url.host, url.port)
    found = []
    for _ in range(CALLS_OF_EACH):
        writer.write(head.encode() + b"\r\n" + body)
        answered = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(answered.split(b"content-length: ")[1].split(b"\r\n")[0]))
        found.append(int(answered.split(b" ")[1]))
    writer.close()
    await writer.wait_closed()
    return found


def test_ten_thousand_calls_at_once_do_not_overspend_a_small_budget(tmp_path: Path) -> None:
    policies = f"{IDENTIFIED}, {{ id: purse, kind: budget, limit: 0.05 USD, per: day, by: team }}"

    async def all_of_them(url: str) -> list[list[int]]:
        return await asyncio.gather(*(statuses_of(httpx.URL(url), OF_SHOP) for _ in range(CONNECTIONS)))

    with Service(reply=provider("openai")) as service:
        text = document(target("openai", service, PRICE), policies=policies)
        with running(tmp_path, text) as url:
            statuses = list(itertools.chain(*asyncio.run(all_of_them(url))))
    assert len(statuses) == CONNECTIONS * CALLS_OF_EACH == 10_000
    assert set(statuses) == {200, 429}
    assert statuses.count(200) == len(service.requests)
    assert statuses.count(200) * 82 <= 50_000
    recorded = [
        event.model_call for event in lockgate.Recording(tmp_path / "recording") if event.status == 200
    ]
    assert sum(call.cost or 0 for call in recorded if call) == statuses.count(200) * 82


def test_models_are_for_those_who_may_ask_them(tmp_path: Path) -> None:
    policies = f"{IDENTIFIED}, {{ id: models, kind: model_access, by_plan: {{ gold: [slow] }} }}"
    with (
        Service(reply=provider("openai")) as service,
        running(tmp_path, document(target("openai", service), policies=policies)) as url,
    ):
        refused = httpx.post(url + CHAT, json=ASKED, headers=OF_SHOP)
        assert refused.status_code == 403
        assert refused.json()["error"]["message"].startswith("the caller may ask `slow`; ")
        assert httpx.post(url + CHAT, json={**ASKED, "model": "slow"}, headers=OF_SHOP).status_code == 200
        listed = httpx.get(url + "/v1/models", headers=OF_SHOP).json()["data"]
        assert [model["id"] for model in listed] == ["slow"]
        unknown = httpx.post(url + CHAT, json={**ASKED, "model": "gpt-9"}, headers=OF_SHOP)
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model.unknown")
        assert "gpt-9" not in unknown.text
        assert httpx.post(url + CHAT, json=ASKED).status_code == 401


def test_policies_of_a_model_hold_for_its_calls_alone(tmp_path: Path) -> None:
    own = ", policies: [{ id: rate, kind: token_limit, limit: 50, per: day }]"
    with (
        Service(reply=provider("openai")) as service,
        running(tmp_path, document(target("openai", service), model=own)) as url,
    ):
        assert httpx.post(url + CHAT, json=ASKED).status_code == 429
        assert httpx.post(url + CHAT, json={**ASKED, "model": "slow"}).status_code == 200


def test_the_recording_says_what_a_call_took_and_nothing_of_what_was_said(tmp_path: Path) -> None:
    with (
        Service(reply=provider("anthropic")) as service,
        running(tmp_path, document(target("anthropic", service, PRICE))) as url,
    ):
        httpx.post(url + CHAT, json={**ASKED, "stream": True, "top_logprobs": 2})
    [event] = list(lockgate.Recording(tmp_path / "recording"))
    call = event.model_call
    assert call is not None
    assert (call.model, call.provider, call.provider_model, call.stream) == ("fast", "anthropic", "m-1", True)
    assert (call.input_tokens, call.output_tokens, call.partial) == (12, 7, False)
    assert "Hello" not in event.model_dump_json()
    assert '"Hi"' not in event.model_dump_json()


def test_tokens_and_money_are_counted_for_prometheus(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    with Service(reply=provider("anthropic")) as service:
        path.write_text(document(target("anthropic", service, PRICE)))
        with lockgate.Gateway(path) as gateway:
            url = f"{gateway.urls['public']}/ai"
            assert httpx.post(url + CHAT, json=ASKED).status_code == 200
            metrics = httpx.get(f"http://{gateway.admin}/metrics").text
    labels = 'gen_ai_request_model="fast",gen_ai_provider_name="anthropic"'
    for line in (
        f"lockgate_model_calls_total{{{labels}}} 1",
        f"lockgate_model_cost_usd_total{{{labels}}} 0.000082",
        f'gen_ai_client_token_usage_total{{{labels},gen_ai_token_type="input"}} 12',
        f'gen_ai_client_token_usage_total{{{labels},gen_ai_token_type="output"}} 7',
    ):
        assert line in metrics
