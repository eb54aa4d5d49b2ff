"""F21: one request that keeps a node busy for ever (Cloudflare 2024-06)."""

from __future__ import annotations

import gzip
import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from failures.scene import KEY, TELL, Load
from load import free_port
from services import Request, Service, say

if TYPE_CHECKING:
    from failures.report import FailureReport
    from failures.scene import Scene

LOOKING = f"""{KEY},
  {{ id: json, kind: json_limits, depth: 20 }}, {{ id: xml, kind: xml_limits }},
  {{ id: graphql, kind: graphql_limits }},
  {{ id: attacks, kind: payload_guard, classes: [sql_injection, cross_site_scripting, command_injection] }},
  {{ id: lookups, kind: payload_guard, classes: [log4shell] }},
  {TELL[:-2]}, when: "request.path.matches('^(/a+)+$') || request.method == 'GET'" }},
  {{ id: private, kind: redact, patterns: [card_number, email] }}"""

JSON = {"Content-Type": "application/json"}
XML = {"Content-Type": "application/xml"}
ENTITIES = (
    b'<!DOCTYPE a [<!ENTITY a "aaaa">'
    + b"".join(b'<!ENTITY b%d "&a;&a;&a;&a;">' % number for number in range(30))
    + b"]><a>&b29;</a>"
)
POISONS: dict[str, tuple[dict[str, str], bytes]] = {
    "lists in lists": (JSON, b"[" * 60_000 + b"]" * 60_000),
    "objects in objects that never end": (JSON, b'{"a":' * 60_000),
    "one string of escapes": (JSON, b'"' + b"\\u0000" * 20_000 + b'"'),
    "numbers without end": (JSON, b"1" * 100_000),
    "one name again and again": (JSON, b"{" + b",".join([b'"a":1'] * 20_000) + b"}"),
    "entities of entities": (XML, ENTITIES),
    "elements in elements": (XML, b"<a>" * 50_000),
    "aliases of one field": (
        JSON,
        b'{"query":"{' + b" ".join(b"a%d: a" % one for one in range(9_000)) + b'}"}',
    ),
    "fragments that spread each other": (
        JSON,
        b'{"query":"{...a} fragment a on Q {...b} fragment b on Q {...a}"}',
    ),
    "quotes that never close": (JSON, b'{"a":"' + b"' OR '1'='1" * 5_000 + b'"}'),
    "escapes of escapes": (JSON, b'{"a":"' + b"%25" * 30_000 + b'"}'),
    "lookups in lookups": (JSON, b'{"a":"' + b"${${::-j}" * 8_000 + b'"}'),
    "a small body that becomes a large one": (
        {**JSON, "Content-Encoding": "gzip"},
        gzip.compress(b"[" * 50_000_000),
    ),
}


@pytest.mark.parametrize("poison", POISONS)
def test_only_that_request_dies(scene: Scene, poison: str, failure_report: FailureReport) -> None:
    headers, body = POISONS[poison]
    with scene.serve(scene.text(policies=LOOKING)) as gateway:
        url = gateway.urls["public"]
        with Load(f"{url}/orders/7") as load:
            for _ in range(5):
                # A connection whose body is not wanted is closed: each of them has its own.
                got = httpx.post(
                    f"{url}/orders", content=body, headers={"X-Api-Key": "app-1", **headers}, timeout=60
                )
                assert 200 <= got.status_code < 500
            load.more(10)
    assert load.bad == []
    failure_report(stage="node", bad=len(load.bad))


HEADS = {
    "a path of dots": b"GET /" + b"../" * 2_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "a path of escapes": b"GET /" + b"%2525" * 1_500 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "a query of names": b"GET /?" + b"a&" * 5_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "a field again and again": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-A: b,c\r\n" * 3_000 + b"\r\n",
    "a list of lists of codings": b"GET / HTTP/1.1\r\nHost: a\r\nTE: " + b"a;q=0," * 2_000 + b"\r\n\r\n",
    "chunks of one byte": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        + b"1\r\na\r\n" * 20_000
        + b"0\r\n\r\n"
    ),
}


@pytest.mark.parametrize("head", HEADS)
def test_a_head_that_is_made_to_cost_ends_at_once(
    scene: Scene, head: str, failure_report: FailureReport
) -> None:
    with scene.serve(scene.text(policies=LOOKING)) as gateway, Load(gateway.urls["public"]) as load:
        for _ in range(3):
            closing = HEADS[head].replace(b"Host: a\r\n", b"Host: a\r\nConnection: close\r\n")
            assert say(gateway.listeners["public"], closing).startswith(b"HTTP/1.1 4")
        load.more(10)
    assert load.bad == []
    failure_report(stage="node", bad=len(load.bad))


def test_a_service_that_sends_the_request_back_to_the_gateway_is_found_out(
    scene: Scene, failure_report: FailureReport
) -> None:
    """Each round costs a request: without an end, one call would keep the node busy until it is full."""
    port = free_port()
    loop = "loop: { versions: { v1: { base: /loop, strip_base: false, upstream: itself } } }"
    text = scene.text().replace('"127.0.0.1:0" }', f'"127.0.0.1:{port}" }}', 1)
    text = text.replace("upstreams: {", f'upstreams: {{ itself: {{ targets: ["http://127.0.0.1:{port}"] }},')
    with (
        scene.serve(text.replace("apis: {", f"apis: {{ {loop},")) as gateway,
        Load(f"{gateway.urls['public']}/orders/7") as load,
    ):
        load.more(10)
        before = gateway.stats()["requests"]
        calls = len(load.answers)
        began = time.monotonic()
        got = httpx.get(f"http://127.0.0.1:{port}/loop/1", timeout=30)
        seconds = time.monotonic() - began
        assert (got.status_code, got.json()["code"]) == (508, "request.loop")
        rounds = gateway.stats()["requests"] - before - (len(load.answers) - calls)
        assert rounds < 20
        load.more(10)
    assert load.bad == []
    failure_report(stage="node", bad=len(load.bad), seconds=seconds)


def test_a_service_that_never_answers_holds_only_its_own_callers(
    scene: Scene, failure_report: FailureReport
) -> None:
    hold = threading.Event()

    def wait(_: Request) -> None:
        hold.wait(60)

    with Service(wait) as silent:
        text = scene.text(version="routes: [{ match: { path: /silent }, upstream: silent }]")
        upstream = f'silent: {{ targets: ["{silent.url}"], timeouts: {{ first_byte: 300ms }} }}'
        text = text.replace("upstreams: {", f"upstreams: {{ {upstream},")
        with scene.serve(text) as gateway, Load(f"{gateway.urls['public']}/orders/7") as load:
            found: list[int] = []

            def ask() -> None:
                got = httpx.get(
                    f"{gateway.urls['public']}/silent", headers={"X-Api-Key": "app-1"}, timeout=30
                )
                found.append(got.status_code)

            callers = [threading.Thread(target=ask) for _ in range(20)]
            for caller in callers:
                caller.start()
            load.more(30)
            for caller in callers:
                caller.join()
            hold.set()
    assert found == [504] * 20
    assert load.bad == []
    failure_report(stage="node", bad=len(load.bad))
