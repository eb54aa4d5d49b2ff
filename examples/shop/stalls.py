"""Stalls of the market, which look at orders all day: enough callers for a canary to be a share of them."""

from __future__ import annotations

import hashlib
import http.client
import itertools
import secrets
import threading
from collections import deque
from typing import Self

ANSWER_SECONDS = 10.0
PATH = "/sales/v2/orders?limit=3"


class Stalls:
    """Calls of many applications, one after the other.

    Args:
        count: How many there are.
        rate: Calls a second of all together.
    """

    def __init__(self, count: int, rate: float) -> None:
        self.keys = {f"stall-{number}": f"lg_{secrets.token_urlsafe(24)}" for number in range(1, count + 1)}
        self.broken: deque[str] = deque(maxlen=5)
        """The last calls that got no answer at all, and why."""
        self._pause = 1 / rate
        self._address = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stalls")

    def join(self, text: str) -> str:
        """A document with these applications."""
        entries = "".join(
            f"  {name}: {{ plan: gold, scopes: [orders:read], keys: [{{ sha256: {_hash(key)} }}] }}\n"
            for name, key in self.keys.items()
        )
        return text.replace("\napplications:\n", f"\napplications:\n{entries}", 1)

    def calling(self, address: str) -> Self:
        """These stalls, calling the gateway at an address once they are entered."""
        self._address = address
        return self

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=ANSWER_SECONDS)
        for name, key in itertools.cycle(self.keys.items()):
            try:
                connection.request("GET", PATH, headers={"X-Api-Key": key})
                connection.getresponse().read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self.broken.append(f"{name}: {error!r}")
            if self._stop.wait(self._pause):
                connection.close()
                return


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
