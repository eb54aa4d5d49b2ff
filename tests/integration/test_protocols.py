"""TLS, HTTP/2, gRPC, WebSocket and server-sent events, with clients that people use."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import threading
import time
import warnings
from concurrent import futures
from typing import TYPE_CHECKING

import grpc
import httpx
import lockgate
import pytest
import websockets.sync.client
import websockets.sync.server
from certificates import Authority
from services import Service, answer
from websockets.exceptions import ConnectionClosed, InvalidStatus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Serve


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def listener(authority: Authority) -> str:
    authority.issue("a", "a.example")
    authority.issue("b", "*.b.example")
    named = "{ hosts: ['*.b.example'], certificate: b.pem, key: '${file:b.key}' }"
    return f"tls: {{ certificate: a.pem, key: '${{file:a.key}}', names: [{named}] }}"


def served_name(address: str, asked: str, authority: Authority) -> str:
    context = ssl.create_default_context(cafile=authority.path)
    context.check_hostname = False
    host, _, port = address.rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=asked) as secure,
    ):
        certificate = secure.getpeercert()
    assert certificate is not None
    return str(certificate["subjectAltName"])


def test_the_certificate_is_chosen_by_name(serve: Serve, authority: Authority) -> None:
    with Service() as service:
        gateway = serve(service.url, listener=listener(authority))
        address = gateway.listeners["public"]
        assert "a.example" in served_name(address, "a.example", authority)
        assert "*.b.example" in served_name(address, "x.b.example", authority)
        assert "'a.example'" in served_name(address, "x.y.b.example", authority), "one label is covered"
        assert "'a.example'" in served_name(address, "unknown.example", authority)
        assert gateway.urls["public"].startswith("https://")


@pytest.mark.parametrize("http2", [False, True])
def test_https_reaches_services_in_both_versions(serve: Serve, authority: Authority, *, http2: bool) -> None:
    with Service() as service:
        gateway = serve(service.url, listener=listener(authority))
        url = f"https://{gateway.listeners['public']}/"
        context = ssl.create_default_context(cafile=authority.path)
        with httpx.Client(verify=context, http2=http2) as client:
            got = client.get(url, headers={"Host": "a.example"}, extensions={"sni_hostname": "a.example"})
        assert (got.status_code, got.http_version) == (200, "HTTP/2" if http2 else "HTTP/1.1")
    assert service.requests[0].all("x-forwarded-proto") == ["https"]


def test_a_new_certificate_is_served_after_a_reload_and_a_bad_one_never(
    serve: Serve, authority: Authority
) -> None:
    with Service() as service:
        gateway = serve(service.url, listener=listener(authority))
        address = gateway.listeners["public"]
        authority.issue("a", "new.example")
        assert gateway.reload().applied
        assert "new.example" in served_name(address, "a.example", authority)
        (authority.folder / "a.pem").write_text("nonsense")
        applied = gateway.reload()
        assert not applied.applied
        assert "`a.pem` holds no certificate" in applied.problems[0].message
        assert "new.example" in served_name(address, "a.example", authority)
        (authority.folder / "a.pem").unlink()
        assert "the certificate `a.pem` cannot be read" in gateway.reload().problems[0].message
        authority.issue("a", "a.example")
        authority.issue("other", "a.example")
        (authority.folder / "a.key").write_bytes((authority.folder / "other.key").read_bytes())
        assert "do not fit" in gateway.reload().problems[0].message
        assert "new.example" in served_name(address, "a.example", authority)


def test_old_tls_is_refused(serve: Serve, authority: Authority) -> None:
    with Service() as service:
        gateway = serve(service.url, listener=listener(authority))
        context = ssl.create_default_context(cafile=authority.path)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings(action="ignore"):
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        host, _, port = gateway.listeners["public"].rpartition(":")
        with socket.create_connection((host, int(port)), timeout=5) as plain, pytest.raises(ssl.SSLError):
            context.wrap_socket(plain, server_hostname="a.example")


def test_services_speak_tls_and_prove_who_they_are(serve: Serve, authority: Authority) -> None:
    authority.issue("service", "service.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.folder / "service.pem", authority.folder / "service.key")
    with Service(tls=context) as service:
        trusted = f"tls: {{ authorities: {authority.path.name}, server_name: service.example }}"
        gateway = serve(service.url, upstream=trusted)
        assert httpx.get(gateway.urls["public"]).status_code == 200
        wrong = trusted.replace("service.example", "other.example")
        gateway = serve(service.url, upstream=wrong)
        refused = httpx.get(gateway.urls["public"])
        assert (refused.status_code, refused.json()["code"]) == (503, "upstream.unavailable")


class Echo:
    """A gRPC service that says what it hears, and fails when told so."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        def unary(request: bytes, context: grpc.ServicerContext) -> bytes:
            if request == b"fail":
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, "told so")
            context.set_trailing_metadata((("x-sum", str(len(request))),))
            return request

        def stream(requests: Iterator[bytes], _: grpc.ServicerContext) -> Iterator[bytes]:
            yield from requests

        if details.method == "/echo.Echo/Stream":
            return grpc.stream_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(unary)


def test_grpc_calls_streams_trailers_and_refusals(serve: Serve, key: dict[str, str]) -> None:
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Echo()])  # type: ignore[list-item]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        gateway = serve(
            f"http://127.0.0.1:{port}", upstream="http: http2", policies="{ id: key, kind: api_key }"
        )
        metadata = (("x-api-key", key["X-Api-Key"]),)
        with grpc.insecure_channel(gateway.listeners["public"]) as channel:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/echo.Echo/Say")
            reply, done = call.with_call(b"hello", metadata=metadata, timeout=5)
            assert (reply, dict(done.trailing_metadata())["x-sum"]) == (b"hello", "5")
            with pytest.raises(grpc.RpcError) as failed:
                call(b"fail", metadata=metadata, timeout=5)
            assert failed.value.code() == grpc.StatusCode.FAILED_PRECONDITION
            assert failed.value.details() == "told so"
            pieces = [b"a", b"b", b"c"]
            talk: grpc.StreamStreamMultiCallable[bytes, bytes]
            talk = channel.stream_stream("/echo.Echo/Stream")
            assert list(talk(iter(pieces), metadata=metadata, timeout=5)) == pieces
            with pytest.raises(grpc.RpcError) as refused:
                call(b"hello", timeout=5)
            assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    finally:
        server.stop(0)


def test_http2_without_tls_is_served(serve: Serve) -> None:
    with Service(reply=lambda request: answer(request.body)) as service:
        gateway = serve(service.url)
        with httpx.Client(http1=False, http2=True) as client:
            got = [client.post(gateway.urls["public"], content=b"x" * 100_000) for _ in range(3)]
        assert [(a.status_code, a.http_version, len(a.content)) for a in got] == [
            (200, "HTTP/2", 100_000)
        ] * 3


@pytest.fixture
def echo() -> Iterator[int]:
    def talk(connection: websockets.sync.server.ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with websockets.sync.server.serve(talk, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.socket.getsockname()[1]
        server.shutdown()
        thread.join()


def test_websockets_pass_with_their_policies(serve: Serve, echo: int, key: dict[str, str]) -> None:
    gateway = serve(f"http://127.0.0.1:{echo}", policies="{ id: key, kind: api_key }")
    url = f"ws://{gateway.listeners['public']}/talk"
    with websockets.sync.client.connect(url, additional_headers=key) as connection:
        for message in ("hello", "x" * 100_000, b"\x00\n\r\n"):
            connection.send(message)
            assert connection.recv() == message
    with pytest.raises(InvalidStatus) as refused:
        websockets.sync.client.connect(url)
    assert refused.value.response.status_code == 401


def test_a_websocket_that_says_nothing_is_closed(serve: Serve, echo: int) -> None:
    gateway = serve(f"http://127.0.0.1:{echo}", upstream="timeouts: { idle: 200ms }")
    url = f"ws://{gateway.listeners['public']}/talk"
    with (
        websockets.sync.client.connect(url, ping_interval=None) as connection,
        pytest.raises(ConnectionClosed),
    ):
        connection.recv(timeout=5)


def test_events_arrive_as_they_are_sent(serve: Serve) -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n")
            await writer.drain()
            await go.wait()
            writer.write(b"data: two\n\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(stream, "127.0.0.1", 0)
        gateway = serve(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        async with httpx.AsyncClient() as client, client.stream("GET", gateway.urls["public"]) as got:
            pieces = got.aiter_text()
            assert await anext(pieces) == "data: one\n\n"
            go.set()
            assert await anext(pieces) == "data: two\n\n"
        server.close()

    asyncio.run(main())


def test_a_certificate_that_has_ended_is_warned_of_and_its_end_is_a_metric(
    serve: Serve, authority: Authority, tmp_path: Path
) -> None:
    tls = listener(authority)
    authority.issue("b", "*.b.example", days=-2)
    with Service() as service:
        gateway = serve(service.url, listener=tls)
        metrics = httpx.get(f"http://{gateway.admin}/metrics").text
        ends = dict(
            re.findall(
                r'^lockgate_certificate_end_\w+{listener="public",certificate="(\w)\.pem"} (\d+)$',
                metrics,
                re.MULTILINE,
            )
        )
        days = {name: round((float(end) - time.time()) / 86_400) for name, end in ends.items()}
        assert days == {"a": 1, "b": -2}
        (warning,) = lockgate.check(tmp_path / "gateway.yaml").problems
        assert warning.severity == "warning"
        assert "the TLS of the listener `public`: the certificate `b.pem` ended at 20" in warning.message
