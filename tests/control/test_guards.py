"""Who is answered at all, and whose word is taken for where somebody calls from (H1, H5)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest
from django.test import Client
from lockgate.control.asgi import application
from lockgate.control.audit.models import Entry
from lockgate.control.configuration import network
from lockgate.control.guards import BoundedBodies, DirectOnly, OnlyProxies

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings
    from uvicorn._types import ASGI3Application, Scope

PROXIES = (network("10.0.0.0/24"),)


async def _seen(scope: Scope, _receive: Any, send: Any) -> None:
    """Answers with what it was told of the caller."""
    said = f"{scope['client']} {scope['scheme']}".encode()  # type: ignore[typeddict-item]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": said})


def ask(app: ASGI3Application, client: str | None, *, pieces: int = 0, **headers: str) -> tuple[int, bytes]:
    """One request, by hand: a test client could not call from another address."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        await asyncio.sleep(0)
        sent.append(message)

    left = iter(range(pieces, -1, -1))

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        number = next(left)
        return {"type": "http.request", "body": b"x" * 1_000 * bool(number), "more_body": number > 0}

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/api/v1/me",
        "raw_path": b"/api/v1/me",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "client": (client, 40_000) if client else None,
        "server": ("10.0.0.9", 9900),
    }
    asyncio.run(cast("Any", app(cast("Scope", scope), cast("Any", receive), send)))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


def test_whoever_is_no_listed_proxy_is_not_answered() -> None:
    app = OnlyProxies(_seen, PROXIES)
    assert ask(app, "10.0.0.5")[0] == 200
    for other in ("10.0.1.5", "192.0.2.1", "::1", None):
        status, body = ask(app, other, x_forwarded_for="10.0.0.5")
        assert (status, body) == (421, b"ask through the proxy that ends TLS\n")


def test_a_listed_proxy_alone_is_believed_about_scheme_and_caller(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"proxies": PROXIES})
    monkeypatch.setattr("lockgate.control.asgi.get_asgi_application", lambda: _seen)
    app = application()
    status, seen = ask(app, "10.0.0.5", x_forwarded_proto="https", x_forwarded_for="6.6.6.6, 192.0.2.1")
    assert (status, seen) == (200, b"('192.0.2.1', 0) https")
    assert ask(app, "192.0.2.1", x_forwarded_proto="https")[0] == 421


@pytest.mark.parametrize("field", ["forwarded", "x_forwarded_for", "X_Forwarded_Host", "x_forwarded_proto"])
def test_without_listed_proxies_nothing_that_came_through_one_is_answered(field: str) -> None:
    app = DirectOnly(_seen)
    assert ask(app, "127.0.0.1")[0] == 200
    status, body = ask(app, "127.0.0.1", pieces=0, **{field: "x"})
    assert (status, b"`lockgate serve --proxy` does not list" in body) == (421, True)


def test_without_listed_proxies_a_caller_is_not_believed_about_itself(settings: Settings) -> None:
    assert settings.LOCKGATE.proxies == ()
    Client(REMOTE_ADDR="192.0.2.7").post(
        "/account/login/",
        {"login": "eve@example.com", "password": "wrong"},
        headers={"X-Forwarded-For": "10.9.9.9", "X-Real-IP": "10.9.9.9"},
    )
    assert Entry.objects.get().details == {"from": "192.0.2.7"}


def test_a_name_that_is_not_ours_is_refused() -> None:
    answer = Client().get("/account/login/", headers={"Host": "rebound.example"})
    assert answer.status_code == 400
    assert "This request makes no sense" in answer.content.decode()


async def _reads(_scope: Scope, receive: Any, send: Any) -> None:
    """Answers with how much it was sent."""
    taken, more = 0, True
    while more:
        message = await receive()
        taken, more = taken + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(taken).encode()})


def test_a_body_that_nothing_of_ours_sends_is_refused_before_it_is_whole() -> None:
    app = BoundedBodies(_reads, most=5_000)
    assert ask(app, "192.0.2.1", pieces=5) == (200, b"5000")
    assert ask(app, "192.0.2.1", pieces=1_000_000) == (413, b"a body has at most 5,000 bytes\n")
