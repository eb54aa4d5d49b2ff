"""What becomes of requests and answers: pages of other origins, other paths, fixed answers, hidden fields."""

from __future__ import annotations

import gzip
import json
import socket
from typing import TYPE_CHECKING

import httpx
import pytest
import websockets.sync.client
from services import Request, Service, answer
from websockets.exceptions import InvalidStatus

if TYPE_CHECKING:
    from conftest import Serve

SHOP = "https://shop.example.com"
PAGES = f'{{ id: pages, kind: cors, origins: ["{SHOP}"], headers: [X-Api-Key] }}'
KEY = "{ id: key, kind: api_key }"
PRIVACY = "{ id: privacy, kind: redact, fields: [ssn], patterns: [card_number], up_to: 1KiB }"


def origin_of(response: httpx.Response) -> str | None:
    values = response.headers.get_list("access-control-allow-origin")
    return ", ".join(values) or None


def test_a_page_can_call_with_a_key_and_read_its_refusals(serve: Serve, key: dict[str, str]) -> None:
    with Service(reply=lambda _: answer("ok", Access_Control_Allow_Origin="*", Vary="Accept")) as service:
        url = serve(service.url, policies=f"{KEY}, {PAGES}").urls["public"]
        asks = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-api-key"}
        preflight = httpx.options(url, headers={"Origin": SHOP, **asks})
        assert (preflight.status_code, preflight.content, origin_of(preflight)) == (204, b"", SHOP)
        assert "content-type" not in preflight.headers
        assert service.requests == []
        refused = httpx.get(url, headers={"Origin": SHOP})
        assert (refused.status_code, origin_of(refused)) == (401, SHOP)
        assert "remedy" in refused.json()
        answered = httpx.get(url, headers={"Origin": SHOP, **key})
        assert (answered.status_code, answered.headers.get_list("access-control-allow-origin")) == (
            200,
            [SHOP],
        )
        assert answered.headers["vary"] == "Accept, origin"
        stranger = httpx.get(url, headers={"Origin": "https://evil.example", **key})
        assert (stranger.status_code, origin_of(stranger)) == (200, None)
        assert httpx.options(url, headers={"Origin": SHOP}).status_code == 401


def test_answers_from_the_cache_carry_the_fields_of_the_page_that_asks(serve: Serve) -> None:
    other = "https://other.example.com"
    with Service(reply=lambda _: answer("ok", Cache_Control="max-age=60")) as service:
        pages = f'{{ id: pages, kind: cors, origins: ["{SHOP}", "{other}"] }}'
        url = serve(service.url, policies=f"{pages}, {{ id: fresh, kind: cache }}").urls["public"]
        seen = [origin_of(httpx.get(url, headers={"Origin": origin})) for origin in (SHOP, other, "null")]
        assert seen == [SHOP, other, None]
        assert len(service.requests) == 1


def test_a_service_gets_another_path_and_query_and_a_credential_stays_out(serve: Serve) -> None:
    routes = (
        'routes: [{ match: { path: "/items/{id}" }, policies: '
        '[{ id: shape, kind: rewrite, path: "/v2/{id}", query: { set: { lang: de } } }] }]'
    )
    key = "{ id: key, kind: api_key, in: { query: key } }"
    with Service() as service:
        url = serve(f"{service.url}/inner", policies=key, routes=routes).urls["public"]
        assert httpx.get(f"{url}/items/a%20b?lang=en&key=lg_try_me&x=%7e").status_code == 200
        assert service.requests[0].path == "/inner/v2/a%20b?x=%7e&lang=de"


def test_a_redirect_stays_on_the_gateway_whatever_host_is_asked_for(serve: Serve) -> None:
    routes = (
        'routes: [{ match: { path: "/go/{*rest}" }, policies: '
        '[{ id: moved, kind: redirect, status: 301, to: "/{*rest}" }] }]'
    )
    with Service() as service:
        url = serve(service.url, routes=routes).urls["public"]
        moved = httpx.get(f"{url}/go/a/b?c=d", headers={"Host": "evil.example"})
        assert (moved.status_code, moved.headers["location"], moved.content) == (301, "/a/b?c=d", b"")
        for path in ("//evil.example", "/%2fevil.example", "/%5cevil.example"):
            assert httpx.get(f"{url}/go{path}").status_code == 400
        assert service.requests == []


def test_a_fixed_answer_needs_no_service(serve: Serve) -> None:
    policies = (
        '{ id: closed, kind: respond, status: 503, headers: { Retry-After: "60" }, json: { closed: true } }'
    )
    url = serve("http://127.0.0.1:9", policies=policies).urls["public"]
    closed = httpx.post(url, content=b"x" * 100_000)
    assert (closed.status_code, closed.json(), closed.headers["retry-after"]) == (503, {"closed": True}, "60")
    head = httpx.head(url)
    assert (head.status_code, head.content, head.headers["content-length"]) == (503, b"", "15")


def test_a_brown_out_names_the_successor(serve: Serve) -> None:
    times = "since: 2020-01-01, sunset: 2099-01-01, brownouts: [{ at: '00:00', for: 24h }]"
    more = "{ id: retire, kind: deprecation, successor: v2, " + times + " }"
    with Service() as service:
        gateway = serve(
            service.url, policies=more, routes="unlisted: forward }, v2: { base: /v2, upstream: service"
        )
        refused = httpx.get(gateway.urls["public"])
        problem = refused.json()
        assert (refused.status_code, problem["code"]) == (503, "deprecation.brownout")
        assert "call version `v2` under `/v2`" in problem["remedy"]
        assert problem["successor"] == {"version": "v2", "base": "/v2"}
        assert 0 < int(refused.headers["retry-after"]) <= 86_400
        assert refused.headers["deprecation"] == "@1577836800"
        assert httpx.get(f"{gateway.urls['public']}/v2").status_code == 200


def test_every_answer_is_hardened(serve: Serve, key: dict[str, str]) -> None:
    with Service(reply=lambda _: answer("ok", Server="inner/1", X_Frame_Options="SAMEORIGIN")) as service:
        policies = f"{KEY}, {{ id: harden, kind: response_headers }}"
        url = serve(service.url, policies=policies).urls["public"]
        answered, refused = httpx.get(url, headers=key), httpx.get(url)
        assert (answered.status_code, refused.status_code) == (200, 401)
        assert "server" not in answered.headers
        assert answered.headers["x-frame-options"] == "SAMEORIGIN"
        assert refused.headers["x-frame-options"] == "DENY"
        for response in (answered, refused):
            assert response.headers["x-content-type-options"] == "nosniff"
            assert "strict-transport-security" not in response.headers


def hidden(**fields: str) -> Service:
    body = json.dumps({"ssn": "078-05-1120", "pay": "4111 1111 1111 1111", "id": 7})
    return Service(reply=lambda _: answer(body, Content_Type="application/json", **fields))


def test_what_no_route_takes_is_hardened_by_the_policies_of_the_gateway(serve: Serve) -> None:
    with Service() as service:
        more = f"policies: [{{ id: harden, kind: response_headers }}, {PAGES}]"
        gateway = serve(service.url, more=more)
        url = gateway.urls["public"]
        ambiguous = httpx.get(f"{url}/a/%2e%2e/b", headers={"Origin": SHOP})
        assert (ambiguous.status_code, origin_of(ambiguous)) == (400, SHOP)
        assert ambiguous.headers["x-content-type-options"] == "nosniff"
        host, port = gateway.listeners["public"].rsplit(":", 1)
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
            connection.settimeout(10)
            said = connection.recv(4096)
        assert said.startswith(b"HTTP/1.1 400")
        assert b"x-content-type-options: nosniff" in said.lower()
        assert service.requests == []


def test_hidden_fields_leave_an_answer_of_the_right_length(serve: Serve) -> None:
    with hidden(ETag='"v1"', Content_Digest="sha-256=:a:", Accept_Ranges="bytes") as service:
        url = serve(service.url, policies=PRIVACY).urls["public"]
        got = httpx.get(url, headers={"Range": "bytes=0-9"})
        assert got.json() == {"ssn": "[redacted]", "pay": "[redacted]", "id": 7}
        assert got.headers["content-length"] == str(len(got.content))
        for name in ("etag", "content-digest", "accept-ranges"):
            assert name not in got.headers
        asked = service.requests[0]
        assert (asked.all("accept-encoding"), asked.all("range")) == (["identity"], [])


def test_an_answer_with_nothing_to_hide_stays_as_it_is(serve: Serve) -> None:
    with Service(reply=lambda _: answer('{ "a": 1.0 }', ETag='"v1"')) as service:
        url = serve(service.url, policies=PRIVACY).urls["public"]
        got = httpx.get(url)
        assert (got.text, got.headers["etag"], got.headers["content-length"]) == (
            '{ "a": 1.0 }',
            '"v1"',
            "12",
        )


def test_an_answer_without_a_body_passes(serve: Serve) -> None:
    def reply(request: Request) -> bytes:
        if request.line.startswith("HEAD"):
            return b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\nETag: "v1"\r\n\r\n'
        if request.all("if-none-match"):
            return b'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\n\r\n'
        return b"HTTP/1.1 204 No Content\r\n\r\n"

    with Service(reply=reply) as service:
        url = serve(service.url, policies=PRIVACY).urls["public"]
        head = httpx.head(url)
        assert head.status_code == 200
        assert "content-length" not in head.headers, "the length is that of what nobody gets"
        unchanged = httpx.get(url, headers={"If-None-Match": '"v1"'})
        assert (unchanged.status_code, unchanged.headers["etag"]) == (304, '"v1"')
        assert httpx.get(url).status_code == 204


@pytest.mark.parametrize("on_error", ["deny", "allow"])
def test_what_cannot_be_looked_at_follows_on_error(serve: Serve, on_error: str) -> None:
    large = json.dumps({"ssn": "x" * 5_000})
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + 40 * (b"80\r\n" + b"7" * 128 + b"\r\n")
        + b"0\r\n\r\n"
    )
    answers = {
        "/large": (answer(large), large.encode()),
        "/chunked": (chunked, b"7" * 128 * 40),
        "/encoded": (answer(gzip.compress(b"{}"), Content_Encoding="gzip"), b"{}"),
        "/text": (answer("ssn"), b"ssn"),
        "/binary": (answer(b"\xff\xfe"), b"\xff\xfe"),
    }
    policy = PRIVACY.replace("kind: redact", f"kind: redact, on_error: {on_error}")
    with Service(reply=lambda request: answers[request.path][0]) as service:
        url = serve(service.url, policies=policy).urls["public"]
        for path, (_, whole) in answers.items():
            got = httpx.get(url + path)
            if on_error == "allow":
                assert (got.status_code, got.content) == (200, whole), path
            else:
                assert (got.status_code, got.json()["code"]) == (503, "policy.undecided"), path


@pytest.mark.parametrize("on_error", ["deny", "allow"])
def test_events_are_never_held_back(serve: Serve, on_error: str) -> None:
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: max-age=60\r\n\r\ndata: 1\n\n"
    )
    policies = PRIVACY.replace("kind: redact", f"kind: redact, on_error: {on_error}")
    # Without a length, and on a connection that stays open, the answer has no end.
    with Service(reply=lambda _: head) as service:
        url = serve(service.url, policies=f"{policies}, {{ id: fresh, kind: cache, for: 1m }}").urls["public"]
        with httpx.stream("GET", url, timeout=10) as got:
            if on_error == "deny":
                assert got.status_code == 503
            else:
                assert next(got.iter_raw()) == b"data: 1\n\n"


def test_what_is_kept_is_hidden_each_time_and_from_each_route_by_itself(serve: Serve) -> None:
    with hidden(Cache_Control="max-age=60", ETag='"v1"') as service:
        routes = (
            'routes: [{ match: { path: "/open" }, policies: [{ id: to, kind: rewrite, path: /all }] }, '
            '{ match: { path: "/hidden" }, policies: [{ id: to, kind: rewrite, path: /all }, '
            f"{PRIVACY}] }}]"
        )
        url = serve(service.url, policies="{ id: fresh, kind: cache }", routes=routes).urls["public"]
        seen = [httpx.get(f"{url}/{path}").json()["ssn"] for path in ("hidden", "hidden", "open", "hidden")]
        assert seen == ["[redacted]", "[redacted]", "078-05-1120", "[redacted]"]
        assert len(service.requests) == 1


def test_a_connection_that_cannot_be_looked_at_is_not_changed(serve: Serve) -> None:
    switched = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
    with Service(reply=lambda _: switched) as service:
        address = serve(service.url, policies=PRIVACY).listeners["public"]
        with pytest.raises(InvalidStatus) as refused, websockets.sync.client.connect(f"ws://{address}"):
            pass
        assert refused.value.response.status_code == 503


def test_shadow_hides_nothing(serve: Serve) -> None:
    with hidden(ETag='"v1"') as service:
        policy = PRIVACY.replace("kind: redact", "kind: redact, mode: shadow")
        url = serve(service.url, policies=policy).urls["public"]
        got = httpx.get(url)
        assert (got.json()["ssn"], got.headers["etag"]) == ("078-05-1120", '"v1"')
