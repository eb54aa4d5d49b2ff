"""The inventory service: stock levels, and forecasts that a supplier makes."""

from __future__ import annotations

import argparse
import time
from zlib import crc32

from examples.shop.service import Answer, RefusedError, Request, Service, serve

LEVELS = {"mug-001": 40, "mug-002": 7, "tea-001": 120, "tea-002": 0, "pot-001": 3, "lamp-001": 12}
SLOW_SUPPLIERS = {"lamp-001": 1.5}
"""Seconds that suppliers need to answer; all others need a little."""


class Api:
    """The API of one release."""

    def __init__(self, release: str) -> None:
        self.release = release

    def service(self, port: int) -> Service:
        """The service, listening."""
        return Service(
            port,
            {
                ("GET", "/healthz"): lambda _: Answer(body={"ready": True}),
                ("GET", "/inventory/v1/levels"): lambda _: Answer(body=LEVELS),
                ("GET", "/inventory/v1/levels/{sku}"): self.level,
                ("GET", "/inventory/v1/forecast/{sku}"): self.forecast,
            },
        )

    def level(self, _: Request, sku: str) -> Answer:
        """The stock of one product."""
        if sku not in LEVELS:
            raise RefusedError(404, f"there is no product `{sku}`")
        return Answer(body={"sku": sku, "available": LEVELS[sku]})

    def forecast(self, _: Request, sku: str) -> Answer:
        """When the supplier can deliver."""
        if sku not in LEVELS:
            raise RefusedError(404, f"there is no product `{sku}`")
        # The supplier is a sleep: this is where a real service would wait for somebody else.
        time.sleep(SLOW_SUPPLIERS.get(sku, 0.06))
        return Answer(body={"sku": sku, "days": crc32(sku.encode()) % 30 + 1, "release": self.release})


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="where it listens; 0: any free port")
    parser.add_argument("--release", default="1", help="the name of the release, which forecasts carry")
    options = parser.parse_args()
    serve(Api(options.release).service(options.port))


if __name__ == "__main__":
    main()
