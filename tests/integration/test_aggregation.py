"""One answer from several services."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import pytest
from services import Request, Service, answer

if TYPE_CHECKING:
    import lockgate
    from conftest import Serve

ROUTES = (
    "routes: [{ match: { methods: [GET], path: '/orders/{id}/page' }, aggregate: { "
    "order: { upstream: service, path: '/orders/{id}' }, "
    "stock: { upstream: stock, path: /levels, optional: true, default: [], within: 300ms } } }]"
)


def orders(request: Request) -> bytes:
    return answer(f'{{"path": "{request.path}", "total": 12345678901234567890.10}}')


def gateway(serve: Serve, first: Service, second: str) -> lockgate.Gateway:
    return serve(first.url, routes=ROUTES, upstreams=f", stock: {{ targets: ['{second}'] }}")


def test_parts_are_merged_as_they_were_written(serve: Serve, key: dict[str, str]) -> None:
    with Service(reply=orders) as first, Service(reply=lambda _: answer('{"b": 1, "a": 2}')) as second:
        url = gateway(serve, first, second.url).urls["public"]
        got = httpx.get(f"{url}/orders/7/page", headers={"Accept-Encoding": "gzip"} | key)
    assert (got.status_code, got.headers["content-type"]) == (200, "application/json")
    assert got.text == (
        '{"order":{"path": "/orders/7", "total": 12345678901234567890.10},'
        '"stock":{"b": 1, "a": 2},"complete":true}'
    )
    assert first.requests[0].all("x-lockgate-request-id") == second.requests[0].all("x-lockgate-request-id")
    assert first.requests[0].all("accept-encoding") == []


@pytest.mark.parametrize("fault", ["down", "slow", "status", "not JSON"])
def test_a_missing_optional_part_has_its_default(serve: Serve, fault: str) -> None:
    def reply(_: Request) -> bytes | None:
        if fault == "slow":
            time.sleep(0.6)
        return {"down": None, "status": answer("{}", status="500 Bad")}.get(fault, answer("hello"))

    with Service(reply=orders) as first, Service(reply=reply) as second:
        url = gateway(serve, first, second.url).urls["public"]
        got = httpx.get(f"{url}/orders/7/page")
    assert got.status_code == 200
    assert (got.json()["stock"], got.json()["complete"]) == ([], False)
    assert got.json()["order"]["path"] == "/orders/7"


def test_a_missing_required_part_is_named(serve: Serve) -> None:
    with Service(reply=lambda _: None) as first, Service() as second:
        url = gateway(serve, first, second.url).urls["public"]
        refused = httpx.get(f"{url}/orders/7/page")
    assert (refused.status_code, refused.json()["code"]) == (502, "aggregate.part_failed")
    assert refused.json()["part"] == "order"


def test_parts_are_asked_side_by_side(serve: Serve) -> None:
    def slow(_: Request) -> bytes:
        time.sleep(0.2)
        return answer("{}")

    with Service(reply=slow) as first, Service(reply=slow) as second:
        url = gateway(serve, first, second.url).urls["public"]
        started = time.monotonic()
        assert httpx.get(f"{url}/orders/7/page").json()["complete"]
        assert time.monotonic() - started < 0.39
