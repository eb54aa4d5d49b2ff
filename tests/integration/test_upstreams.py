"""Services that fail, and what the gateway makes of it."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import httpx
from services import Request, Service, answer

if TYPE_CHECKING:
    from conftest import Serve


def closed_port() -> str:
    with Service() as service:
        return service.url


def until(holds: object, within: float = 10.0) -> bool:
    """Wait until a function gives something true."""
    assert callable(holds)
    end = time.monotonic() + within
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.02)
    return False


def test_a_request_that_never_left_goes_to_another_target(serve: Serve) -> None:
    with Service() as service:
        gateway = serve(
            closed_port(),
            service.url,
            upstream="balance: round_robin, retries: { attempts: 1, on: [connect_failure] }",
        )
        with httpx.Client(base_url=gateway.urls["public"]) as client:
            # A POST too: nothing of it was sent.
            statuses = [client.post("/", content=b"x").status_code for _ in range(8)]
    assert statuses == [200] * 8
    assert [request.body for request in service.requests] == [b"x"] * 8


def test_without_retries_the_caller_is_told(serve: Serve) -> None:
    gateway = serve(closed_port())
    refused = httpx.get(gateway.urls["public"])
    assert (refused.status_code, refused.json()["code"]) == (503, "upstream.unavailable")


def test_only_what_may_be_repeated_is_repeated(serve: Serve) -> None:
    with Service(reply=lambda _: None) as broken, Service() as sound:
        gateway = serve(
            broken.url,
            sound.url,
            upstream="balance: round_robin, retries: { attempts: 1, on: [reset] }",
        )
        with httpx.Client(base_url=gateway.urls["public"]) as client:
            gets = Counter(client.get("/").status_code for _ in range(4))
            posts = Counter(client.post("/", content=b"x").status_code for _ in range(4))
    assert gets == {200: 4}
    failed = [request for request in broken.requests if request.line.startswith("POST")]
    sent = [request for request in sound.requests if request.line.startswith("POST")]
    assert len(failed) + len(sent) == 4, "no POST was sent twice"
    assert posts == {200: len(sent), 502: len(failed)}
    assert failed


def test_a_status_is_a_reason_to_ask_again_within_the_budget(serve: Serve) -> None:
    with Service(reply=lambda _: answer(status="503 Busy")) as busy:
        gateway = serve(busy.url, upstream="retries: { attempts: 3, on: [status_503], budget: 20 }")
        with httpx.Client(base_url=gateway.urls["public"]) as client:
            assert {client.get("/").status_code for _ in range(50)} == {503}
    # Ten to begin with, and a fifth of fifty.
    assert len(busy.requests) == 50 + 20


def test_a_connection_that_its_service_closed_while_idle_costs_nothing(serve: Serve) -> None:
    with Service(reply=lambda _: answer(Connection="close")) as service:
        gateway = serve(service.url)
        with httpx.Client(base_url=gateway.urls["public"]) as client:
            assert {client.post("/", content=b"x").status_code for _ in range(20)} == {200}


def test_a_connection_that_its_service_closed_without_a_word_costs_a_post_nothing(serve: Serve) -> None:
    closed = threading.Semaphore(0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)

        def answer_once(connection: socket.socket) -> None:
            received = b""
            while not received.endswith(b"\r\n\r\nx"):
                received += connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ny")

        def run() -> None:
            for _ in range(5):
                connection, _ = server.accept()
                with connection:
                    answer_once(connection)
                closed.release()

        service = threading.Thread(target=run)
        service.start()
        gateway = serve(f"http://127.0.0.1:{server.getsockname()[1]}")
        with httpx.Client(base_url=gateway.urls["public"]) as client:
            for _ in range(5):
                assert client.post("/", content=b"x").content == b"y"
                assert closed.acquire(timeout=10)
        service.join()


def test_connections_to_services_are_kept(serve: Serve) -> None:
    with Service() as service:
        gateway = serve(service.url, more="node: { cores: 1 }")
        with httpx.Client(base_url=gateway.urls["public"]) as client:
            for _ in range(20):
                client.get("/")
    assert {request.connection for request in service.requests} == {0}


def test_connections_to_services_are_kept_after_answers_without_a_body(serve: Serve) -> None:
    def reply(request: Request) -> bytes:
        if request.line.startswith("HEAD"):
            return b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
        return answer(b"", status="304 Not Modified" if request.path == "/known" else "200 OK")

    with Service(reply=reply) as service:
        gateway = serve(service.url, more="node: { cores: 1 }")
        with httpx.Client(base_url=gateway.urls["public"]) as client:
            for _ in range(5):
                assert client.head("/").status_code == 200
                assert client.get("/known").status_code == 304
                assert client.post("/", content=b"x").content == b""
    assert {request.connection for request in service.requests} == {0}


def test_a_failing_target_is_left_out_and_a_checked_one_comes_back(serve: Serve) -> None:
    well = True

    def reply(request: Request) -> bytes:
        return answer() if request.path != "/health" or well else answer(status="500 Ill")

    with Service(reply=reply) as changing, Service() as sound:
        gateway = serve(
            changing.url,
            sound.url,
            upstream="balance: round_robin, "
            "health: { path: /health, every: 50ms, unhealthy_after: 2, healthy_after: 2 }",
        )

        def healthy() -> list[bool]:
            return [target["healthy"] for target in gateway.stats()["upstreams"]["service"]["targets"]]

        assert until(lambda: any(request.path == "/health" for request in changing.requests))
        well = False
        assert until(lambda: healthy() == [False, True])
        before = len([request for request in changing.requests if request.path == "/"])
        for _ in range(10):
            assert httpx.get(gateway.urls["public"]).status_code == 200
        assert len([request for request in changing.requests if request.path == "/"]) == before
        well = True
        assert until(lambda: healthy() == [True, True])


def test_a_service_that_fails_too_often_is_left_alone_and_then_tried(serve: Serve) -> None:
    well = False
    with Service(reply=lambda _: answer() if well else answer(status="502 Bad")) as service:
        gateway = serve(
            service.url,
            upstream="circuit: { failures: 50, window: 10s, min_requests: 4, open_for: 300ms }",
        )
        with httpx.Client(base_url=gateway.urls["public"]) as client:
            assert [client.get("/").status_code for _ in range(4)] == [502] * 4
            refused = client.get("/")
            assert (refused.status_code, refused.json()["code"]) == (503, "upstream.unavailable")
            assert "retry-after" in refused.headers
            assert len(service.requests) == 4
            well = True
            assert until(lambda: client.get("/").status_code == 200)
            assert client.get("/").status_code == 200


def test_deadlines_are_kept(serve: Serve) -> None:
    def slow(request: Request) -> bytes:
        if request.path == "/slow":
            time.sleep(0.5)
        return answer()

    with Service(reply=slow) as service:
        gateway = serve(service.url, upstream="timeouts: { first_byte: 100ms }")
        late = httpx.get(f"{gateway.urls['public']}/slow")
        assert (late.status_code, late.json()["code"]) == (504, "upstream.timeout")
        assert httpx.get(gateway.urls["public"]).status_code == 200


def test_the_wait_for_an_answer_begins_when_the_request_has_been_sent(serve: Serve) -> None:
    with Service() as service:
        gateway = serve(service.url, upstream="timeouts: { first_byte: 200ms }")

        def body() -> object:
            for _ in range(5):
                time.sleep(0.1)
                yield b"x"

        assert httpx.post(gateway.urls["public"], content=body()).status_code == 200  # type: ignore[arg-type]
    assert service.requests[0].body == b"xxxxx"


def test_the_service_can_be_told_the_host_that_was_asked_for(serve: Serve) -> None:
    with Service() as service:
        gateway = serve(service.url, upstream="host: caller")
        httpx.get(gateway.urls["public"], headers={"Host": "shop.example:8443"})
    assert service.requests[0].all("host") == ["shop.example:8443"]


def test_a_trace_goes_on_through_the_gateway(serve: Serve) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    with Service() as service:
        gateway = serve(service.url)
        given = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01", "tracestate": "a=1"}
        httpx.get(gateway.urls["public"], headers=given)
        httpx.get(gateway.urls["public"], headers={"traceparent": "nonsense", "tracestate": "a=1"})
    first, second = service.requests
    version, trace, span, flags = first.all("traceparent")[0].split("-")
    assert (version, trace, flags) == ("00", trace_id, "01")
    assert span != "00f067aa0ba902b7"
    assert first.all("tracestate") == ["a=1"]
    assert second.all("traceparent")[0].split("-")[1] != trace_id
    assert second.all("tracestate") == []
    assert first.all("via") == ["1.1 lockgate"]
