"""The orders service: two versions of one API over one SQLite file."""

from __future__ import annotations

import argparse
import re
import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from examples.shop.service import Answer, RefusedError, Request, Service, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

SKU = re.compile(r"[a-z]{2,12}-[0-9]{3}")
TABLES = """
CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, created TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS lines (
    order_id INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    sku TEXT NOT NULL,
    quantity INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS lines_by_order ON lines (order_id);
CREATE INDEX IF NOT EXISTS lines_by_sku ON lines (sku);
"""


class Orders:
    """The orders in a database file, which several processes may share."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with closing(sqlite3.connect(path, timeout=10)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(TABLES)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=10)) as database:
            database.execute("PRAGMA foreign_keys = ON")
            database.execute("PRAGMA synchronous = NORMAL")
            with database:
                yield database

    def create(self, customer: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
        """Store an order."""
        created = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._open() as database:
            row = database.execute(
                "INSERT INTO orders (customer, created) VALUES (?, ?)", (customer, created)
            )
            number = row.lastrowid
            database.executemany(
                "INSERT INTO lines (order_id, sku, quantity) VALUES (?, ?, ?)",
                [(number, line["sku"], line["quantity"]) for line in lines],
            )
        return {"id": number, "customer": customer, "lines": lines, "created": created}

    def find(self, number: int) -> dict[str, Any] | None:
        """One order."""
        with self._open() as database:
            rows = database.execute(
                "SELECT id, customer, created FROM orders WHERE id = ?", (number,)
            ).fetchall()
            return next(self._whole(database, rows), None)

    def newest(self, limit: int, sku: str | None = None) -> list[dict[str, Any]]:
        """The newest orders, of one product or all."""
        chosen = "WHERE id IN (SELECT order_id FROM lines WHERE sku = :sku)" if sku else ""
        query = f"SELECT id, customer, created FROM orders {chosen} ORDER BY id DESC LIMIT :limit"  # noqa: S608 - no text of a caller
        with self._open() as database:
            rows = database.execute(query, {"sku": sku, "limit": limit}).fetchall()
            return list(self._whole(database, rows))

    def delete(self, number: int) -> bool:
        """Remove an order; whether there was one."""
        with self._open() as database:
            return database.execute("DELETE FROM orders WHERE id = ?", (number,)).rowcount > 0

    def ready(self) -> bool:
        """Whether the database answers."""
        with self._open() as database:
            return bool(database.execute("SELECT 1").fetchone() == (1,))

    @staticmethod
    def _whole(database: sqlite3.Connection, rows: list[tuple[int, str, str]]) -> Iterator[dict[str, Any]]:
        for number, customer, created in rows:
            lines = database.execute(
                "SELECT sku, quantity FROM lines WHERE order_id = ? ORDER BY rowid", (number,)
            )
            yield {
                "id": number,
                "customer": customer,
                "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines],
                "created": created,
            }


def members(value: object, *names: str) -> dict[str, Any]:
    """An object with exactly these members."""
    if not isinstance(value, dict) or value.keys() != set(names):
        raise RefusedError(
            422, f"write an object with {', '.join(f'`{name}`' for name in names)} and nothing else"
        )
    return value


def read_line(value: object) -> dict[str, Any]:
    """One line of an order."""
    line = members(value, "sku", "quantity")
    if not isinstance(line["sku"], str) or not SKU.fullmatch(line["sku"]):
        raise RefusedError(422, "`sku` is letters, a hyphen and three digits, such as `mug-001`")
    if type(line["quantity"]) is not int or not 1 <= line["quantity"] <= 99:
        raise RefusedError(422, "`quantity` is a whole number from 1 to 99")
    return {"sku": line["sku"], "quantity": line["quantity"]}


def read_customer(value: object) -> str:
    """The name of a customer."""
    if not isinstance(value, str) or not 1 <= len(value) <= 80:
        raise RefusedError(422, "`customer` is a text of 1 to 80 characters")
    return value


def read_id(text: str) -> int:
    """The number of an order."""
    # SQLite counts to 2^63; whatever is longer names no order.
    if not re.fullmatch(r"[1-9][0-9]{0,17}", text):
        raise RefusedError(404, f"there is no order `{text}`")
    return int(text)


class Api:
    """Both versions."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders

    def service(self, port: int) -> Service:
        """The service, listening."""
        return Service(
            port,
            {
                ("GET", "/healthz"): self.health,
                ("GET", "/sales/v1/orders"): self.list_v1,
                ("POST", "/sales/v1/orders"): self.create_v1,
                ("GET", "/sales/v1/orders/{number}"): self.get_v1,
                ("GET", "/sales/v2/orders"): self.list_v2,
                ("POST", "/sales/v2/orders"): self.create_v2,
                ("GET", "/sales/v2/orders/{number}"): self.get_v2,
                ("DELETE", "/sales/v2/orders/{number}"): self.delete_v2,
            },
        )

    def health(self, _: Request) -> Answer:
        """Whether it can work."""
        return Answer(200 if self.orders.ready() else 503, {"ready": True})

    def get(self, number: str) -> dict[str, Any]:
        """An order, or 404."""
        order = self.orders.find(read_id(number))
        if order is None:
            raise RefusedError(404, f"there is no order `{number}`")
        return order

    def list_v2(self, request: Request) -> Answer:
        """The newest orders."""
        limit, sku = request.query.get("limit", "20"), request.query.get("sku")
        if not re.fullmatch(r"[1-9][0-9]?|100", limit):
            raise RefusedError(400, "`limit` is a number from 1 to 100")
        if sku is not None and not SKU.fullmatch(sku):
            raise RefusedError(400, "`sku` is letters, a hyphen and three digits, such as `mug-001`")
        return Answer(body={"orders": self.orders.newest(int(limit), sku)})

    def create_v2(self, request: Request) -> Answer:
        """Create an order."""
        order = members(request.json(), "customer", "lines")
        lines = order["lines"]
        if not isinstance(lines, list) or not 1 <= len(lines) <= 20:
            raise RefusedError(422, "`lines` is a list of 1 to 20 lines")
        created = self.orders.create(read_customer(order["customer"]), [read_line(line) for line in lines])
        return Answer(201, created, {"Location": f"/sales/v2/orders/{created['id']}"})

    def get_v2(self, _: Request, number: str) -> Answer:
        """One order."""
        return Answer(body=self.get(number))

    def delete_v2(self, _: Request, number: str) -> Answer:
        """Cancel an order."""
        if not self.orders.delete(read_id(number)):
            raise RefusedError(404, f"there is no order `{number}`")
        return Answer(204)

    @staticmethod
    def as_v1(order: dict[str, Any]) -> dict[str, Any]:
        """An order as version 1 shows it: with its first line."""
        return {"id": order["id"], "customer": order["customer"], **order["lines"][0]}

    def list_v1(self, _: Request) -> Answer:
        """The newest orders."""
        return Answer(body=[self.as_v1(order) for order in self.orders.newest(100)])

    def create_v1(self, request: Request) -> Answer:
        """Create an order of one product."""
        order = members(request.json(), "customer", "sku", "quantity")
        line = read_line({"sku": order["sku"], "quantity": order["quantity"]})
        return Answer(201, self.as_v1(self.orders.create(read_customer(order["customer"]), [line])))

    def get_v1(self, _: Request, number: str) -> Answer:
        """One order."""
        return Answer(body=self.as_v1(self.get(number)))


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="where it listens; 0: any free port")
    parser.add_argument("--database", type=Path, required=True, help="the SQLite file")
    options = parser.parse_args()
    serve(Api(Orders(options.database)).service(options.port))


if __name__ == "__main__":
    main()
