"""The sample services keep to their OpenAPI documents."""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker

from examples.shop import inventory, issuer, orders, writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from examples.shop.service import Service

DOCUMENTS = Path(__file__).parents[2] / "examples" / "shop" / "openapi"


@contextmanager
def running(service: Service) -> Iterator[httpx.Client]:
    thread = threading.Thread(target=service.serve_forever, args=(0.01,))
    thread.start()
    with httpx.Client(base_url=service.url) as client:
        yield client
    service.shutdown()
    service.server_close()
    thread.join()


class Contract:
    """An OpenAPI document: what is sent and answered must be as it says."""

    def __init__(self, name: str, client: httpx.Client) -> None:
        self.document: dict[str, Any] = yaml.safe_load((DOCUMENTS / name).read_text())
        self.base = self.document["servers"][0]["url"]
        self.client = client

    def _validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        # References start from the whole document.
        whole = {"components": self.document["components"], "allOf": [schema]}
        return Draft202012Validator(whole, format_checker=FormatChecker())

    def send(
        self,
        method: str,
        path: str,
        variables: Mapping[str, object] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Send a request to an operation such as `/orders/{id}`, and check what is answered."""
        url = self.base + path.format_map(variables or {})
        answer = self.client.request(method, url, params=query, json=body, content=content)
        told = self.document["paths"][path][method.lower()]["responses"]
        assert str(answer.status_code) in told, f"{method} {path}: {answer.status_code} {answer.text}"
        response = told[str(answer.status_code)]
        if "$ref" in response:
            response = self.document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        if "content" not in response:
            assert answer.content == b""
            return answer
        self._validator(response["content"][answer.headers["content-type"]]["schema"]).validate(answer.json())
        return answer

    def takes(self, method: str, path: str, body: object) -> bool:
        """Whether the document lets a body be sent."""
        operation = self.document["paths"][path][method.lower()]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        return self._validator(schema).is_valid(body)

    def operations(self) -> set[tuple[str, str]]:
        """The method of each operation, and its path with `{}` for each variable."""
        return {
            (method.upper(), self.base + re.sub(r"\{\w+\}", "{}", path))
            for path, item in self.document["paths"].items()
            for method in item
            if method != "parameters"
        }


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[httpx.Client]:
    with running(orders.Api(orders.Orders(tmp_path / "orders.sqlite")).service(0)) as client:
        yield client


@pytest.fixture
def v1(shop: httpx.Client) -> Contract:
    return Contract("orders-v1.yaml", shop)


@pytest.fixture
def v2(shop: httpx.Client) -> Contract:
    return Contract("orders-v2.yaml", shop)


@pytest.fixture
def stock() -> Iterator[Contract]:
    with running(inventory.Api("2").service(0)) as client:
        yield Contract("inventory-v1.yaml", client)


ORDER = {"customer": "Ada", "lines": [{"sku": "mug-001", "quantity": 2}, {"sku": "tea-002", "quantity": 1}]}


def test_an_order_is_created_shown_and_cancelled(v2: Contract) -> None:
    created = v2.send("POST", "/orders", body=ORDER)
    assert (created.status_code, created.json()["lines"]) == (201, ORDER["lines"])
    assert created.headers["location"] == f"/sales/v2/orders/{created.json()['id']}"
    one = {"id": created.json()["id"]}
    assert v2.send("GET", "/orders/{id}", one).json() == created.json()
    assert v2.send("GET", "/orders").json() == {"orders": [created.json()]}
    assert v2.send("DELETE", "/orders/{id}", one).status_code == 204
    for method in ("GET", "DELETE"):
        assert v2.send(method, "/orders/{id}", one).status_code == 404
    assert v2.send("GET", "/orders").json() == {"orders": []}


def test_lists_are_the_newest_of_a_product_up_to_a_limit(v2: Contract) -> None:
    numbers = [v2.send("POST", "/orders", body=ORDER).json()["id"] for _ in range(3)]
    pot = {"customer": "Grace", "lines": [{"sku": "pot-001", "quantity": 1}]}
    v2.send("POST", "/orders", body=pot)

    def ids(**query: str) -> list[int]:
        return [order["id"] for order in v2.send("GET", "/orders", query=query).json()["orders"]]

    assert ids(sku="mug-001") == numbers[::-1]
    assert ids(sku="mug-001", limit="2") == numbers[:0:-1]
    assert ids(sku="cup-001") == []
    for wrong in ({"limit": "0"}, {"limit": "101"}, {"limit": "all"}, {"sku": "x' OR 1=1--"}):
        assert v2.send("GET", "/orders", query=wrong).status_code == 400


def test_both_versions_show_the_same_orders(v1: Contract, v2: Contract) -> None:
    old = v1.send("POST", "/orders", body={"customer": "Ada", "sku": "mug-001", "quantity": 3}).json()
    new = v2.send("POST", "/orders", body=ORDER).json()
    assert v2.send("GET", "/orders/{id}", old).json()["lines"] == [{"sku": "mug-001", "quantity": 3}]
    assert v1.send("GET", "/orders/{id}", new).json() == {
        "id": new["id"],
        "customer": "Ada",
        "sku": "mug-001",
        "quantity": 2,
    }
    assert [order["id"] for order in v1.send("GET", "/orders").json()] == [new["id"], old["id"]]
    assert v1.send("GET", "/orders/{id}", {"id": 99}).status_code == 404


LINE = {"sku": "mug-001", "quantity": 1}


@pytest.mark.parametrize(
    "body",
    [
        ORDER,
        {"customer": "x" * 80, "lines": [LINE] * 20},
        {"customer": "x" * 81, "lines": [LINE]},
        {"customer": "", "lines": [LINE]},
        {"customer": 7, "lines": [LINE]},
        {"customer": "Ada"},
        {"customer": "Ada", "lines": []},
        {"customer": "Ada", "lines": [LINE] * 21},
        {"customer": "Ada", "lines": LINE},
        {"customer": "Ada", "lines": [LINE], "total": 1},
        {"customer": "Ada", "lines": [{"sku": "mug-001"}]},
        {"customer": "Ada", "lines": [LINE | {"price": 1}]},
        {"customer": "Ada", "lines": [LINE | {"quantity": 0}]},
        {"customer": "Ada", "lines": [LINE | {"quantity": 99}]},
        {"customer": "Ada", "lines": [LINE | {"quantity": 100}]},
        {"customer": "Ada", "lines": [LINE | {"quantity": True}]},
        {"customer": "Ada", "lines": [LINE | {"quantity": 1.5}]},
        {"customer": "Ada", "lines": [LINE | {"sku": "MUG-001"}]},
        {"customer": "Ada", "lines": [LINE | {"sku": "mug-0011"}]},
        ["Ada"],
        None,
    ],
)
def test_what_is_taken_is_what_the_document_lets_be_sent(v1: Contract, v2: Contract, body: object) -> None:
    expected = 201 if v2.takes("POST", "/orders", body) else 422
    assert v2.send("POST", "/orders", content=json.dumps(body).encode()).status_code == expected
    if isinstance(body, dict) and isinstance(lines := body.get("lines"), list) and len(lines) == 1:
        old = {"customer": body["customer"], **lines[0]}
        expected = 201 if v1.takes("POST", "/orders", old) else 422
        assert v1.send("POST", "/orders", body=old).status_code == expected


@pytest.mark.parametrize("name", ["v1", "v2", "stock"])
def test_the_service_serves_what_is_documented_and_nothing_else(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    contract: Contract = request.getfixturevalue(name)
    served = set()
    for api in (orders.Api(orders.Orders(tmp_path / "other.sqlite")), inventory.Api("1")):
        with api.service(0) as service:
            for method, pattern, _ in service.routes:
                path = re.sub(r"\(\?P<\w+>\[\^/\]\+\)", "{}", pattern.pattern)
                if path.startswith(contract.base):
                    served.add((method, path))
    assert served == contract.operations()


def test_bodies_that_are_none_are_refused(shop: httpx.Client, v2: Contract) -> None:
    for body in (b"", b"{", b"\xff", b"[" * 20_000):
        assert v2.send("POST", "/orders", content=body).status_code == 400
    assert shop.post("/sales/v2/orders", content=b"x" * 70_000).status_code == 413
    assert shop.post("/sales/v2/orders", content=iter([b"{}"])).status_code == 411
    assert shop.put("/sales/v2/orders").status_code == 405
    assert shop.get("/sales/v2").status_code == 404
    assert shop.get("/healthz").json() == {"ready": True}


@pytest.mark.parametrize("number", ["0", "-1", "1x", "9" * 30])
def test_what_is_no_number_is_no_order(v2: Contract, number: str) -> None:
    assert v2.send("GET", "/orders/{id}", {"id": number}).status_code == 404


def test_processes_share_the_database(tmp_path: Path) -> None:
    first, second = (orders.Orders(tmp_path / "orders.sqlite") for _ in range(2))
    created = first.create("Ada", [LINE])
    assert second.find(created["id"]) == created
    assert second.delete(created["id"])
    assert first.newest(10) == []


def test_the_inventory_tells_levels_and_forecasts(stock: Contract) -> None:
    levels = stock.send("GET", "/levels").json()
    one = {"sku": "mug-001"}
    assert stock.send("GET", "/levels/{sku}", one).json() == one | {"available": levels["mug-001"]}
    assert stock.send("GET", "/forecast/{sku}", one).json()["release"] == "2"
    for path in ("/levels/{sku}", "/forecast/{sku}"):
        assert stock.send("GET", path, {"sku": "cup-001"}).status_code == 404


CLIENTS = {"robot": {"secret": "only-for-this-test", "scope": "orders:read"}}
GRANT = {"grant_type": "client_credentials"}


def test_tokens_are_short_lived_and_prove_who_made_them() -> None:
    first, second = (issuer.Issuer(CLIENTS, lifetime=120) for _ in range(2))
    with running(first.service(0)) as client:
        answer = client.post("/token", data=GRANT, auth=("robot", "only-for-this-test"))
        (public,) = client.get("/.well-known/jwks.json").json()["keys"]
    assert answer.headers["cache-control"] == "no-store"
    assert "d" not in public
    token = answer.json()["access_token"]
    claims = jwt.decode(token, jwt.PyJWK(public), ["ES256"], audience="orders", issuer=first.url)
    assert (claims["client_id"], claims["scope"], claims["exp"] - claims["iat"]) == (
        "robot",
        "orders:read",
        120,
    )
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, second.key.public_key(), ["ES256"], audience="orders")


@pytest.mark.parametrize(
    ("secret", "form", "status"),
    [
        ("only-for-this-test", GRANT | {"audience": "inventory", "lifetime": "1"}, 200),
        ("a guess", GRANT, 401),
        ("", GRANT, 401),
        ("only-for-this-test", {}, 400),
        ("only-for-this-test", GRANT | {"audience": "everything"}, 400),
        ("only-for-this-test", GRANT | {"lifetime": "121"}, 400),
        ("only-for-this-test", GRANT | {"lifetime": "0"}, 400),
    ],
)
def test_tokens_are_for_clients_that_prove_themselves(secret: str, form: dict[str, str], status: int) -> None:
    with running(issuer.Issuer(CLIENTS, lifetime=120).service(0)) as client:
        answer = client.post("/token", data=form, auth=("robot", secret))
        assert (answer.status_code, "access_token" in json.loads(answer.text)) == (status, status == 200)
        assert client.post("/token", data=form).status_code == 401
        assert client.post("/token", data=form, auth=("somebody", "")).status_code == 401


def test_the_stand_in_for_a_model_answers_whole_and_in_pieces() -> None:
    asked = {
        "messages": [
            {"role": "system", "content": "You write for the pages of a shop."},
            {"role": "user", "content": "Describe the product a mug: stoneware."},
        ]
    }
    with running(writer.service(0)) as client:
        whole = client.post("/v1/chat/completions", json=asked)
        pieces = client.post("/v1/chat/completions", json={**asked, "stream": True})
        refused = client.post("/v1/chat/completions", json={"messages": []})
    said = whole.json()
    assert said["choices"][0]["message"]["content"] == "a mug: stoneware, and yours by tomorrow."
    assert said["usage"]["total_tokens"] == said["usage"]["prompt_tokens"] + 7
    assert pieces.headers["content-type"] == "text/event-stream"
    assert pieces.text.endswith("data: [DONE]\n\n")
    assert (refused.status_code, refused.json()["detail"]) == (400, "`messages` is missing")
