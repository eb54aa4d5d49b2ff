"""The shared cache (RFC 9111)."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TYPE_CHECKING

import httpx
from services import Request, Service, answer

if TYPE_CHECKING:
    from collections.abc import Callable

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
