"""The shared cache (RFC 9111)."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TYPE_CHECKING

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from services import Request, Service, answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Serve

CACHE = "{ id: fresh, kind: cache, for: 1m, tags: [orders] }"
KEYED = f"{{ id: key, kind: api_key }}, {CACHE}"


def numbered(**fields: str) -> Callable[[Request], bytes]:
    """Answers that are all different."""
    count = iter(range(1, 1_000_000))
    lock = threading.Lock()

    def reply(_: Request) -> bytes:
        with lock:
            return answer(str(next(count)), **fields)

    return reply


def test_an_answer_is_given_again_until_its_time_is_over(serve: Serve) -> None:
    with Service(reply=numbered(Cache_Control="max-age=1")) as service:
        url = serve(service.url, policies=CACHE).urls["public"]
        first, second = httpx.get(url), httpx.get(url)
        assert (first.text, second.text) == ("1", "1")
        assert first.headers["cache-status"] == "lockgate; fwd=uri-miss; stored; ttl=1"
        assert second.headers["cache-status"].startswith("lockgate; hit")
        assert "age" in second.headers
        time.sleep(1.1)
        assert httpx.get(url).text == "2"
        assert httpx.get(f"{url}/?other").text == "3"


def test_what_the_service_says_counts_first_and_the_document_where_it_is_silent(serve: Serve) -> None:
    for fields, kept in [
        ({}, True),
        ({"Cache_Control": "no-store"}, False),
        ({"Cache_Control": "private"}, False),
        ({"Cache_Control": "max-age=0"}, False),
        ({"Set_Cookie": "a=b", "Cache_Control": "public, max-age=60"}, False),
        ({"Vary": "*", "Cache_Control": "max-age=60"}, False),
    ]:
        with Service(reply=numbered(**fields)) as service:
            url = serve(service.url, policies=CACHE).urls["public"]
            assert (httpx.get(url).text == httpx.get(url).text) == kept, fields


def test_what_a_session_was_answered_is_for_nobody_else_unless_the_service_or_the_policy_says_so(
    serve: Serve,
) -> None:
    minding = CACHE.replace("for: 1m", "for: 1m, ignore_cookies: true")
    for policy, fields, is_kept in [
        (CACHE, {}, False),
        (CACHE, {"Cache_Control": "max-age=60"}, True),
        (minding, {}, True),
    ]:
        with Service(reply=numbered(**fields)) as service:
            url = serve(service.url, policies=policy).urls["public"]
            first, second = (httpx.get(url, headers={"Cookie": f"session={name}"}).text for name in "ab")
            assert (first == second) == is_kept, (policy, fields)


def test_one_caller_never_gets_the_answer_of_another(serve: Serve, key: dict[str, str]) -> None:
    other = sha256(b"lg_other").hexdigest()
    with Service(reply=numbered(Cache_Control="public, max-age=60")) as service:
        gateway = serve(
            service.url, policies=KEYED, applications=f", other: {{ keys: [{{ sha256: {other} }}] }}"
        )
        url = gateway.urls["public"]
        mine = [httpx.get(url, headers=key).text for _ in range(2)]
        theirs = [httpx.get(url, headers={"X-Api-Key": "lg_other"}).text for _ in range(2)]
        assert (mine, theirs) == (["1", "1"], ["2", "2"])
        assert httpx.get(url).status_code == 401


def test_answers_differ_by_what_they_vary_on(serve: Serve) -> None:
    with Service(reply=numbered(Vary="Accept-Language")) as service:
        url = serve(service.url, policies=CACHE).urls["public"]

        def ask(language: str) -> str:
            return httpx.get(url, headers={"Accept-Language": language}).text

        assert [ask("de"), ask("en"), ask("de"), ask("en")] == ["1", "2", "1", "2"]


def test_an_answer_past_its_time_is_validated_and_a_caller_that_has_it_is_told_so(serve: Serve) -> None:
    def reply(request: Request) -> bytes:
        if request.all("if-none-match") == ['"v1"']:
            return answer(b"", status="304 Not Modified", ETag='"v1"', Cache_Control="max-age=1")
        return answer("body", ETag='"v1"', Cache_Control="max-age=1")

    with Service(reply=reply) as service:
        url = serve(service.url, policies=CACHE).urls["public"]
        assert httpx.get(url).text == "body"
        time.sleep(1.1)
        validated = httpx.get(url)
        assert (validated.status_code, validated.text) == (200, "body")
        assert "detail=validated" in validated.headers["cache-status"]
        told = httpx.get(url, headers={"If-None-Match": 'W/"v1"'})
        assert (told.status_code, told.text) == (304, "")
    assert len(service.requests) == 2


def test_a_stale_answer_is_given_while_a_new_one_is_fetched(serve: Serve) -> None:
    with Service(reply=numbered(Cache_Control="max-age=1")) as service:
        policy = "{ id: fresh, kind: cache, stale_while_revalidate: 1m }"
        url = serve(service.url, policies=policy).urls["public"]
        assert httpx.get(url).text == "1"
        time.sleep(1.1)
        stale = httpx.get(url)
        assert (stale.text, "detail=stale" in stale.headers["cache-status"]) == ("1", True)
        end = time.monotonic() + 5
        while httpx.get(url).text == "1" and time.monotonic() < end:
            time.sleep(0.02)
        assert httpx.get(url).text == "2"


def test_a_burst_asks_the_service_once(serve: Serve) -> None:
    def slow(_: Request) -> bytes:
        time.sleep(0.3)
        return answer("one")

    with Service(reply=slow) as service:
        url = serve(service.url, policies=CACHE).urls["public"]
        with ThreadPoolExecutor(20) as pool:
            texts = list(pool.map(lambda _: httpx.get(url).text, range(20)))
        assert texts == ["one"] * 20
        assert len(service.requests) == 1


def test_a_burst_for_what_cannot_be_kept_does_not_queue(serve: Serve) -> None:
    def slow(_: Request) -> bytes:
        time.sleep(0.2)
        return answer("one", Cache_Control="no-store")

    with Service(reply=slow) as service:
        url = serve(service.url, policies=CACHE).urls["public"]
        started = time.monotonic()
        with ThreadPoolExecutor(20) as pool:
            assert list(pool.map(lambda _: httpx.get(url).text, range(20))) == ["one"] * 20
        # One after the other they would take four seconds.
        assert time.monotonic() - started < 3
        assert len(service.requests) == 20


def test_a_change_and_a_purge_make_the_cache_forget(serve: Serve) -> None:
    with Service(reply=numbered()) as service:
        gateway = serve(service.url, policies=CACHE)
        url = gateway.urls["public"]
        assert [httpx.get(url).text, httpx.get(url).text] == ["1", "1"]
        httpx.delete(url)
        assert httpx.get(url).text == "3"
        for query, expected in (("", "4"), ("?tag=orders", "5"), ("?path=/", "6"), ("?tag=other", "6")):
            assert httpx.post(f"http://{gateway.admin}/purge{query}").text == "purged\n"
            assert httpx.get(url).text == expected
        assert httpx.post(f"http://{gateway.admin}/purge?tga=orders").status_code == 400


def test_what_is_too_large_passes_whole(serve: Serve) -> None:
    with Service(reply=lambda _: answer("x" * 50_000)) as service:
        url = serve(service.url, policies="{ id: fresh, kind: cache, for: 1m, up_to: 10kB }").urls["public"]
        assert [len(httpx.get(url).text) for _ in range(2)] == [50_000, 50_000]
    assert len(service.requests) == 2


def test_directives_mean_the_same_in_every_letter_case_and_doubt_keeps_nothing(serve: Serve) -> None:
    """RFC 9111 §5.2; and §3.5 asks for a permission in words before what was authorised is kept for all."""
    for said, headers in (
        ("Private, max-age=60", {}),
        ("NO-STORE, max-age=60", {}),
        ("max-age=60", {"Cache-Control": "No-Store"}),
        ("max-age=60, max-age=61", {"Authorization": "Basic x"}),
    ):
        with Service(reply=numbered(Cache_Control=said)) as service:
            url = serve(service.url, policies=CACHE).urls["public"]
            first, second = httpx.get(url, headers=headers), httpx.get(url, headers=headers)
            assert (first.text, second.text) == ("1", "2"), said


def test_two_users_of_one_application_never_get_one_anothers_answers(serve: Serve, tmp_path: Path) -> None:
    """RFC 9111 §3.5: what was authorised for one is for one, and an application may call for many."""
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": "one", "alg": "ES256"}
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [jwk]}))
    issuer = "https://id.example.com"
    token = (
        f"{{ id: user, kind: jwt, issuer: '{issuer}', audience: a, algorithms: [ES256], jwks: keys.json }}"
    )
    with Service(reply=numbered()) as service:
        gateway = serve(
            service.url, policies=f"{token}, {CACHE}", applications=", web: { client_ids: [web-app] }"
        )
        url = gateway.urls["public"]

        def ask(user: str) -> str:
            claims = {"iss": issuer, "aud": "a", "exp": time.time() + 60, "sub": user, "client_id": "web-app"}
            made = jwt.encode(claims, key, algorithm="ES256", headers={"kid": "one"})
            return httpx.get(url, headers={"Authorization": f"Bearer {made}"}).text

        assert [ask("anna"), ask("ben"), ask("anna"), ask("ben")] == ["1", "2", "1", "2"]
        told = {name for request in service.requests for name in request.all("x-lockgate-application")}
        assert told == {"web"}


def test_a_change_makes_the_cache_forget_whatever_route_it_came_by(serve: Serve) -> None:
    """RFC 9111 §4.4; the policy of a cache mostly stands on the routes that read."""
    routes = f"routes: [{{ match: {{ methods: [GET] }}, policies: [{CACHE}] }}]"
    with Service(reply=numbered()) as service:
        url = serve(service.url, routes=routes).urls["public"]
        asked = [httpx.get(url).text, httpx.get(url).text]
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            httpx.request(method, url)
            asked += [httpx.get(url).text, httpx.get(url).text]
        assert asked == ["1", "1", "3", "3", "5", "5", "7", "7", "9", "9"]


def test_a_change_that_failed_changes_nothing(serve: Serve) -> None:
    def reply(request: Request) -> bytes:
        return answer("no", status="409 Conflict") if request.line.startswith("DELETE") else next(answers)

    answers = (answer(str(number)) for number in range(1, 10))
    with Service(reply=reply) as service:
        url = serve(service.url, policies=CACHE).urls["public"]
        assert httpx.get(url).text == "1"
        assert httpx.delete(url).status_code == 409
        assert httpx.get(url).text == "1"


def test_a_body_in_a_question_and_a_condition_on_a_change_are_for_the_service(serve: Serve) -> None:
    """Neither is part of what an answer is kept under, so an answer to one is none to the other."""
    with Service(reply=lambda request: answer(request.body or b"none", ETag='"1"')) as service:
        url = serve(service.url, policies=CACHE).urls["public"]
        assert httpx.get(url).text == "none"
        assert httpx.request("GET", url, content=b"query").text == "query"
        assert httpx.get(url).text == "none"
        assert len(service.requests) == 2
        httpx.get(url, headers={"If-Match": '"0"'})
        assert service.requests[-1].all("if-match") == ['"0"']


def test_a_service_that_fails_is_covered_for_as_long_as_it_was_said(serve: Serve) -> None:
    """RFC 5861 §4."""
    policy = "{ id: fresh, kind: cache, stale_if_error: 1h }"
    for said, covered in (("max-age=1", True), ("max-age=1, must-revalidate", False)):
        down = threading.Event()

        def reply(_: Request, said: str = said, down: threading.Event = down) -> bytes:
            if down.is_set():
                return answer("failed", status="503 Service Unavailable")
            return answer("well", Cache_Control=said)

        with Service(reply=reply) as service:
            url = serve(service.url, policies=policy).urls["public"]
            assert httpx.get(url).text == "well"
            down.set()
            time.sleep(1.1)
            got = httpx.get(url)
            assert (got.status_code == 200) == covered, said
            if covered:
                assert "fwd=stale; detail=stale-if-error" in got.headers["cache-status"]
                assert got.text == "well"
        # It is no more than that: gone, not answering with a failure.
        assert (httpx.get(url).status_code == 200) == covered, said


def test_an_answer_that_must_be_validated_is_not_given_stale(serve: Serve) -> None:
    """RFC 9111 §4.2.4."""
    policy = "{ id: fresh, kind: cache, stale_while_revalidate: 1h }"
    for said, second in (
        ("max-age=1, must-revalidate", "2"),
        ("max-age=1, proxy-revalidate", "2"),
        ("s-maxage=1", "2"),
        ("max-age=1, stale-while-revalidate=0", "2"),
        ("max-age=1", "1"),
        ("s-maxage=1, stale-while-revalidate=60", "1"),
    ):
        with Service(reply=numbered(Cache_Control=said)) as service:
            url = serve(service.url, policies=policy).urls["public"]
            assert httpx.get(url).text == "1"
            time.sleep(1.1)
            assert httpx.get(url).text == second, said


def test_an_answer_is_given_stale_for_as_long_as_was_granted_and_no_longer(serve: Serve) -> None:
    with Service(reply=numbered(Cache_Control="max-age=1")) as service:
        policy = "{ id: fresh, kind: cache, stale_while_revalidate: 1s }"
        url = serve(service.url, policies=policy).urls["public"]
        assert httpx.get(url).text == "1"
        time.sleep(3.1)
        assert httpx.get(url).text == "2"


def test_what_is_fetched_beside_a_stale_answer_is_of_the_same_variant(serve: Serve) -> None:
    changed = "Sun, 06 Nov 1994 08:49:37 GMT"

    def reply(request: Request) -> bytes:
        fields = {"Vary": "Accept-Language", "Last_Modified": changed, "Cache_Control": "max-age=1"}
        tag = f'"{request.all("accept-language")[0]}"'
        if request.all("if-none-match") == [tag]:
            return answer(b"", status="304 Not Modified", ETag=tag, **fields)
        if not request.all("if-none-match") and request.all("if-modified-since"):
            return answer(b"", status="304 Not Modified", **fields)
        return answer(request.all("accept-language")[0], ETag=tag, **fields)

    with Service(reply=reply) as service:
        policy = "{ id: fresh, kind: cache, stale_while_revalidate: 1h }"
        url = serve(service.url, policies=policy).urls["public"]

        def ask(language: str) -> httpx.Response:
            return httpx.get(url, headers={"Accept-Language": language})

        assert [ask("de").text, ask("en").text] == ["de", "en"]
        time.sleep(1.1)
        assert ask("en").text == "en"
        end = time.monotonic() + 5
        while len(service.requests) < 3 and time.monotonic() < end:
            time.sleep(0.02)
        assert service.requests[2].all("if-none-match") == ['"en"']
        assert [ask("de").text, ask("en").text] == ["de", "en"]


def test_a_validated_answer_has_what_is_said_now_and_nothing_that_is_for_one_caller(serve: Serve) -> None:
    def reply(request: Request) -> bytes:
        if request.all("if-none-match"):
            return answer(
                b"", status="304 Not Modified", ETag='"v1"', X_Seen="2", Set_Cookie="session=somebody"
            )
        return answer("body", ETag='"v1"', X_Seen="1")

    with Service(reply=reply) as service:
        url = serve(service.url, policies="{ id: fresh, kind: cache, for: 1s }").urls["public"]
        assert httpx.get(url).headers["x-seen"] == "1"
        time.sleep(1.1)
        for got in (httpx.get(url), httpx.get(url)):
            assert (got.text, got.headers["x-seen"], got.headers.get("set-cookie")) == ("body", "2", None)
            # What the document says is for the cache of the gateway alone.
            assert "cache-control" not in got.headers
    assert len(service.requests) == 2


def test_a_caller_that_has_the_answer_of_that_time_is_told_so(serve: Serve) -> None:
    changed = "Sun, 06 Nov 1994 08:49:37 GMT"
    with Service(reply=numbered(Last_Modified=changed)) as service:
        url = serve(service.url, policies=CACHE).urls["public"]
        assert httpx.get(url).text == "1"
        for since, status in ((changed, 304), ("Sun, 06 Nov 1994 08:49:36 GMT", 200)):
            got = httpx.get(url, headers={"If-Modified-Since": since})
            assert (got.status_code, got.text) == (status, "" if status == 304 else "1")
    assert len(service.requests) == 1
