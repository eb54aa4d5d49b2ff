"""Spans of requests, as a collector of OpenTelemetry gets them."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import lockgate
import pytest
from certificates import Authority
from collectors import CLIENT, INTERNAL, SERVER, collector, otlp, spans, taken
from load import free_port
from patience import until
from services import Request, Service, answer

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Serve

KEYED = "{ id: key, kind: api_key }"
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
NOT_SAMPLED = {"traceparent": f"00-{TRACE}-{CALLER}-00"}
SECRET = "lgs_7Hq2Zx9Lw4Rt6Vb8Nm1Kp3"


def told(service: Service) -> list[list[str]]:
    """The parts of each `traceparent` that a service got."""
    return [request.all("traceparent")[0].split("-") for request in service.requests]


def stats(gateway: lockgate.Gateway) -> dict[str, Any]:
    found: dict[str, Any] = gateway.stats()["telemetry"]
    return found


def test_spans_join_what_the_caller_began_with_what_the_service_saw(
    serve: Serve, key: dict[str, str]
) -> None:
    routes = "routes: [{ match: { methods: [GET], path: '/orders/{id}' } }]"
    with collector() as collected, Service() as service:
        more = otlp(collected) + "node: { name: node-7 }\n"
        gateway = serve(f"{service.url}/inner", policies=KEYED, routes=routes, more=more)
        httpx.get(f"{gateway.urls['public']}/orders/7?page=2", headers=SAMPLED | key)
        revision = gateway.stats()["revision"]
        assert gateway.stop(5.0)
    request, call = spans(collected)
    ((version, trace, span, flags),) = told(service)
    assert (version, trace, flags) == ("00", TRACE, "01")
    assert (request.trace, request.parent, request.kind) == (TRACE, CALLER, SERVER)
    assert (call.trace, call.parent, call.id, call.kind) == (TRACE, request.id, span, CLIENT)
    assert (request.name, call.name) == ("GET /orders/{id}", "GET")
    assert not request.is_error
    assert not call.is_error
    assert request.began <= call.began <= call.ended <= request.ended
    assert request.resource["service.name"] == "lockgate"
    assert request.resource["service.instance.id"] == "node-7"
    (request_id,) = service.requests[0].all("x-lockgate-request-id")
    assert request.about == request.about | {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/orders/{id}",
        "url.path": "/orders/7",
        "url.query": "page=2",
        "url.scheme": "http",
        "server.address": "127.0.0.1",
        "client.address": "127.0.0.1",
        "network.protocol.version": "1.1",
        "lockgate.request_id": request_id,
        "lockgate.revision": revision,
        "lockgate.api": "api",
        "lockgate.api_version": "v1",
        "lockgate.application": "shop",
        "lockgate.upstream": "service",
        "lockgate.listener": "public",
        "lockgate.decision": "forward",
        "lockgate.tries": 1,
    }
    assert call.about == call.about | {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": service.port,
        "url.full": f"{service.url}/inner/orders/7",
        "lockgate.upstream": "service",
    }


def test_what_is_refused_has_a_span_with_the_reason_and_no_call(serve: Serve, key: dict[str, str]) -> None:
    shadow = "{ id: next, kind: ip_filter, deny: ['127.0.0.0/8'], mode: shadow }"
    with collector() as collected, Service() as service:
        gateway = serve(service.url, policies=f"{KEYED}, {shadow}", more=otlp(collected))
        refused = httpx.get(gateway.urls["public"])
        httpx.get(gateway.urls["public"], headers=key)
        assert gateway.stop(5.0)
    assert refused.status_code == 401
    sent = [span for span in spans(collected) if span.kind == SERVER]
    first, second = sorted(sent, key=lambda span: span.began)
    assert (first.parent, first.is_error) == ("", False)
    assert first.about["lockgate.decision"] == "refuse"
    assert first.about["lockgate.code"] == refused.json()["code"] == "api_key.missing"
    assert first.about["lockgate.refused_by"] == ["key"]
    assert first.about["http.response.status_code"] == 401
    assert second.about["lockgate.refused_in_shadow_by"] == ["next"]
    assert len(service.requests) == 1
    (called,) = (span for span in spans(collected) if span.kind == CLIENT)
    assert called.trace == second.trace


def test_a_service_that_fails_and_one_that_is_not_there_are_errors(serve: Serve) -> None:
    with collector() as collected:
        with Service(reply=lambda _: answer("no", status="500 Internal Server Error")) as service:
            gateway = serve(service.url, more=otlp(collected))
            assert httpx.get(gateway.urls["public"]).status_code == 500
        gone = httpx.get(gateway.urls["public"])
        assert gateway.stop(5.0)
    request, call, lost, unreached = spans(collected)
    assert [span.is_error for span in (request, call, lost, unreached)] == [True] * 4
    assert (request.about["error.type"], call.about["error.type"]) == ("500", "500")
    code = gone.json()["code"]
    assert lost.about["error.type"] == unreached.about["error.type"] == code
    assert "http.response.status_code" not in unreached.about


def test_a_caller_that_leaves_breaks_no_trace(serve: Serve) -> None:
    go_on = threading.Event()

    def late(_: Request) -> bytes:
        go_on.wait(120)
        return answer()

    with collector() as collected, Service(reply=late) as service:
        gateway = serve(service.url, more=otlp(collected))
        host, _, port = gateway.listeners["public"].rpartition(":")
        with socket.create_connection((host, int(port))) as caller:
            caller.sendall(
                f"GET / HTTP/1.1\r\nHost: a\r\ntraceparent: {SAMPLED['traceparent']}\r\n\r\n".encode()
            )
            until(lambda: len(service.requests) == 1)
        until(lambda: stats(gateway)["spans"]["exported"] == 2)
        go_on.set()
    request, call = spans(collected)
    assert (request.trace, request.parent, call.parent) == (TRACE, CALLER, request.id)
    assert [span for _, _, span, _ in told(service)] == [call.id]
    assert "http.response.status_code" not in request.about


@pytest.mark.parametrize(
    ("sample", "headers", "is_sent"),
    [(100, {}, True), (0, {}, False), (0, SAMPLED, True), (100, NOT_SAMPLED, False)],
)
def test_the_callers_flag_decides_and_the_share_decides_about_traces_that_begin_here(
    serve: Serve, sample: int, headers: dict[str, str], is_sent: bool
) -> None:
    with collector() as collected, Service() as service:
        gateway = serve(service.url, more=otlp(collected, f", sample: {sample}"))
        httpx.get(gateway.urls["public"], headers=headers)
        assert gateway.stop(5.0)
    assert len(spans(collected)) == (2 if is_sent else 0)
    assert [flags for *_, flags in told(service)] == ["01" if is_sent else "00"]


def test_a_share_is_chosen_by_the_id_of_the_trace(serve: Serve) -> None:
    with collector() as collected, Service() as service:
        gateway = serve(service.url, more=otlp(collected, ", sample: 50"))
        with httpx.Client() as client:
            for _ in range(200):
                client.get(gateway.urls["public"])
        assert gateway.stop(5.0)
    sampled = {trace for _, trace, _, flags in told(service) if flags == "01"}
    assert sampled == {span.trace for span in spans(collected)}
    assert sampled == {trace for _, trace, *_ in told(service) if int(trace[-14:], 16) >= 1 << 55}
    assert 50 < len(sampled) < 150


def test_the_parts_of_an_aggregation_are_below_one_span(serve: Serve) -> None:
    routes = (
        "routes: [{ match: { methods: [GET], path: /page }, aggregate: { "
        "one: { upstream: service, path: /one }, two: { upstream: service, path: /two } } }]"
    )
    with collector() as collected, Service(reply=lambda _: answer("{}")) as service:
        gateway = serve(service.url, routes=routes, more=otlp(collected))
        assert httpx.get(f"{gateway.urls['public']}/page").status_code == 200
        assert gateway.stop(5.0)
    request, call = spans(collected)
    assert (call.kind, call.name, call.parent) == (INTERNAL, "aggregate", request.id)
    assert {span for _, _, span, _ in told(service)} == {call.id}


def test_secrets_stay_here_and_marks_are_those_of_the_recording(
    serve: Serve, tmp_path: Path, key: dict[str, str]
) -> None:
    (tmp_path / "otlp.key").write_text(f"{SECRET}-of-the-collector\n")
    policies = "{ id: key, kind: api_key, in: { header: X-Shop-Pin } }"
    section = ", headers: { Api-Key: '${file:otlp.key}' }"
    with collector() as collected, Service() as service:
        more = otlp(collected, section) + "recording: { directory: rec, client_address: network }\n"
        gateway = serve(service.url, policies=policies, more=more)
        url, pin = gateway.urls["public"], {"X-Shop-Pin": key["X-Api-Key"]}
        for path in (
            f"/a/access_token={SECRET}/b",
            f"/?api_key={SECRET}&x-shop-pin={SECRET}",
            f"/%zz?token={SECRET}",
        ):
            httpx.get(f"{url}{path}", headers=pin | {"Authorization": f"Bearer {SECRET}"})
            httpx.get(f"{url}{path}", headers={"X-Shop-Pin": SECRET, "Cookie": f"session={SECRET}"})
        shown = httpx.get(f"http://{gateway.admin}/metrics").text
        shown += httpx.get(f"http://{gateway.admin}/stats.json").text
        assert gateway.stop(5.0)
    assert {value for request in collected.requests for value in request.all("api-key")} == {
        f"{SECRET}-of-the-collector"
    }
    sent = spans(collected)
    assert len(sent) == 8
    assert SECRET.encode() not in b"".join(request.body for request in collected.requests)
    assert SECRET not in shown
    recorded = {event.id: event for event in lockgate.Recording(tmp_path / "rec")}
    for span in sent:
        if span.kind == SERVER:
            event = recorded[span.about["lockgate.request_id"]]
            assert span.about.get("url.path") == event.path
            assert span.about.get("url.query") == event.query
            assert span.about["client.address"] == "127.0.0.0"


def test_a_collector_that_is_down_costs_nothing_and_gets_what_waited_when_it_is_back(serve: Serve) -> None:
    port = free_port()
    with Service() as service:
        more = f"telemetry: {{ otlp: {{ endpoint: 'http://127.0.0.1:{port}' }} }}\n"
        gateway = serve(service.url, more=more)
        assert [httpx.get(gateway.urls["public"]).status_code for _ in range(20)] == [200] * 20
        notices: list[str] = []

        def is_told() -> bool:
            notices.extend(gateway.notices())
            return bool(notices)

        until(is_told)
        assert "cannot be reached" in stats(gateway)["problem"]
        assert stats(gateway)["spans"] == {"exported": 0, "dropped": 0, "failed": 0}
        with collector(port=port) as collected:
            until(lambda: stats(gateway)["spans"]["exported"] == 40)
            assert stats(gateway)["problem"] is None
            metrics = httpx.get(f"http://{gateway.admin}/metrics").text
            assert 'lockgate_spans_total{outcome="exported"} 40' in metrics
            assert len(spans(collected)) == 40
        notices += gateway.notices()
        assert len(notices) == 1, "it is told when it begins, and not at each try"
        assert notices[0].startswith("telemetry: the collector cannot be reached: ")


def test_a_collector_that_hangs_holds_up_neither_traffic_nor_the_end(serve: Serve) -> None:
    go_on = threading.Event()

    def hang(_: Request) -> None:
        go_on.wait(120)

    with collector(reply=hang) as collected, Service() as service:
        gateway = serve(service.url, more=otlp(collected))
        httpx.get(gateway.urls["public"])
        until(lambda: len(collected.requests) == 1)
        assert [httpx.get(gateway.urls["public"]).status_code for _ in range(20)] == [200] * 20
        assert gateway.stop(5.0), "all requests of callers had ended"
        go_on.set()


def test_a_collector_that_asks_for_time_gets_it_and_then_the_same_export(serve: Serve) -> None:
    came: list[float] = []

    def reply(_: Request) -> bytes:
        came.append(time.monotonic())
        if len(came) == 1:
            return answer("", status="429 Too Many Requests", Retry_After="2")
        return taken()

    with collector(reply=reply) as collected, Service() as service:
        gateway = serve(service.url, more=otlp(collected))
        httpx.get(gateway.urls["public"])
        until(lambda: len(came) == 1)
        until(lambda: stats(gateway)["spans"] == {"exported": 2, "dropped": 0, "failed": 0})
    first, second = collected.requests
    assert first.body == second.body
    assert came[1] - came[0] >= 2


@pytest.mark.parametrize(("after", "asked"), [("", 2), ("Retry-After: 600\r\n", 1)])
def test_a_stop_sends_once_more_and_not_before_the_collector_said(
    serve: Serve, after: str, asked: int
) -> None:
    # The second try would come a second after the first; the stop comes before, or does not wait for it.
    busy = f"HTTP/1.1 503 Busy\r\n{after}Content-Length: 0\r\n\r\n".encode()
    with collector(reply=lambda _: busy) as collected, Service() as service:
        gateway = serve(service.url, more=otlp(collected))
        httpx.get(gateway.urls["public"])
        until(lambda: stats(gateway)["problem"] == "the collector answered with 503")
        assert gateway.stop(5.0)
        assert len(collected.requests) >= asked
        assert not after or len(collected.requests) == 1
        assert len({request.body for request in collected.requests}) == 1


@pytest.mark.parametrize(
    ("reply", "spans_then", "problem"),
    [
        (answer("", status="400 Bad Request"), (0, 2), "the collector answered with 400"),
        (answer("", status="302 Found", Location="/x"), (0, 2), "the collector answered with 302"),
        (taken(rejected=1, why="too old"), (1, 1), "the collector refused spans: too old"),
    ],
)
def test_what_a_collector_refuses_is_counted_and_not_sent_again(
    serve: Serve, reply: bytes, spans_then: tuple[int, int], problem: str
) -> None:
    with collector(reply=lambda _: reply) as collected, Service() as service:
        gateway = serve(service.url, more=otlp(collected))
        httpx.get(gateway.urls["public"])
        exported, failed = spans_then
        until(lambda: stats(gateway)["spans"] == {"exported": exported, "dropped": 0, "failed": failed})
        assert stats(gateway)["problem"] == problem
        httpx.get(gateway.urls["public"])
        assert gateway.stop(5.0)
        first, second = collected.requests
        assert first.body != second.body


def test_a_reload_sends_spans_elsewhere_and_none_is_lost(serve: Serve, tmp_path: Path) -> None:
    with collector() as before, collector() as after, Service() as service:
        gateway = serve(service.url, more=otlp(before))
        document = tmp_path / "gateway.yaml"
        text = document.read_text()
        httpx.get(f"{gateway.urls['public']}/before")
        document.write_text(text.replace(before.url, after.url))
        assert gateway.reload().applied
        httpx.get(f"{gateway.urls['public']}/after")
        until(lambda: len(spans(before)) == 2)
        document.write_text(text.replace(otlp(before), ""))
        assert gateway.reload().applied
        httpx.get(f"{gateway.urls['public']}/nowhere")
        assert gateway.stats()["telemetry"] is None
        until(lambda: len(spans(after)) == 2)
    assert {span.about["url.path"] for span in spans(before) if span.kind == SERVER} == {"/before"}
    assert {span.about["url.path"] for span in spans(after) if span.kind == SERVER} == {"/after"}


def test_a_key_that_was_changed_is_sent_after_a_reload(serve: Serve, tmp_path: Path) -> None:
    secret = tmp_path / "otlp.key"
    secret.write_text("old")
    with collector() as collected, Service() as service:
        more = otlp(collected, ", service_name: shop, headers: { Authorization: '${file:otlp.key}' }")
        gateway = serve(service.url, more=more)
        httpx.get(gateway.urls["public"])
        secret.write_text("Bearer new")
        assert gateway.reload().applied
        httpx.get(gateway.urls["public"])
        until(lambda: len(collected.requests) == 2)
        # Each is sent by a thread of its own.
        assert {request.all("authorization")[0] for request in collected.requests} == {"old", "Bearer new"}
        resource = spans(collected)[0].resource
        assert resource["service.name"] == "shop"
        assert "service.instance.id" not in resource, "nodes without a name are not told apart"


def test_a_collector_with_a_certificate_of_its_own_authority_is_known_by_its_name(
    serve: Serve, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    authority.issue("collector", "collector.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "collector.pem", tmp_path / "collector.key")
    with Service(reply=lambda _: taken(), tls=context) as collected, Service() as service:
        tls = ", tls: { authorities: authority.pem, server_name: collector.example }"
        gateway = serve(service.url, more=otlp(collected, tls))
        httpx.get(gateway.urls["public"])
        until(lambda: stats(gateway)["spans"]["exported"] == 2)
        document = tmp_path / "gateway.yaml"
        document.write_text(document.read_text().replace("collector.example", "other.example"))
        assert gateway.reload().applied
        httpx.get(gateway.urls["public"])
        until(lambda: "no TLS" in (stats(gateway)["problem"] or ""))
    assert len(spans(collected)) == 2
