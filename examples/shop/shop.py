"""The parts of a shop: services, a document with fresh keys, and the gateway in front of them."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from abc import ABC, abstractmethod
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from lockgate import Gateway

from examples.shop.processes import Process
from examples.shop.traffic import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent
CLIENT = "warehouse-robot"
WITH_KEYS = ("storefront", "reports", "kiosk", "market")
APPLICATIONS = ("storefront", "warehouse", "reports", "kiosk", "market")
DRAIN_SECONDS = 3.0


@dataclass(frozen=True)
class Issued:
    """Credentials of this run. The document has hashes of the keys; the issuer has the secret."""

    keys: Mapping[str, str]
    secret: str

    @classmethod
    def fresh(cls) -> Self:
        """New ones, in the form of `lockgate keys new`."""
        return cls({name: f"lg_{secrets.token_urlsafe(24)}" for name in WITH_KEYS}, secrets.token_urlsafe(18))


def fill(text: str, addresses: Mapping[str, str], keys: Mapping[str, str]) -> str:
    """The document with the addresses of this run in place of the written ones, and the hashes of keys."""
    for written, real in addresses.items():
        if written not in text:
            message = f"the document does not name `{written}`"
            raise ValueError(message)
        text = text.replace(written, real)
    for name, key in keys.items():
        entry = f"\n  {name}:\n"
        if text.count(entry) != 1:
            message = f"the document does not have the application `{name}` once"
            raise ValueError(message)
        text = text.replace(
            entry, f"{entry}    keys: [{{ sha256: {hashlib.sha256(key.encode()).hexdigest()} }}]\n"
        )
    return text


class Parts(ABC):
    """Services, gateway and credentials; everything ends at the exit.

    Args:
        folder: Where the copy of the document, the database, the recording and the access log go.
        port: Where the gateway listens; 0: any free port.

    Raises:
        ServiceError: A sample service did not start.
        OSError: A port is taken, or the folder cannot be written.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.document = folder, folder / "gateway.yaml"
        self.access_log = folder / "access.log"
        self.port = port
        self.url = self.address = ""
        self._parts = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as parts:
            self._start(parts)
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()

    def _start(self, parts: ExitStack) -> None:
        issued = Issued.fresh()
        clients = {CLIENT: {"secret": issued.secret, "scope": "orders:read orders:write"}}
        database = ("--database", str(self.folder / "orders.sqlite"))
        self.issuer = parts.enter_context(Process("issuer", told=json.dumps(clients)))
        orders = [parts.enter_context(Process("orders", *database)) for _ in range(2)]
        self.inventory = parts.enter_context(Process("inventory"))
        following = parts.enter_context(Process("inventory", "--release", "2"))
        models = [parts.enter_context(Process("models", "--think", seconds)) for seconds in ("0.05", "0.2")]
        addresses = {
            "http://127.0.0.1:9001": orders[0].url,
            "http://127.0.0.1:9002": orders[1].url,
            "http://127.0.0.1:9011": self.inventory.url,
            "http://127.0.0.1:9012": following.url,
            "http://127.0.0.1:9021": models[0].url,
            "http://127.0.0.1:9022": models[1].url,
            "http://127.0.0.1:9300": self.issuer.url,
            "127.0.0.1:8080": f"127.0.0.1:{self.port}",
            "127.0.0.1:9901": f"127.0.0.1:{9901 if self.port else 0}",
        }
        self.document.write_text(fill((HERE / "gateway.yaml").read_text(), addresses, issued.keys))
        shutil.copytree(HERE / "openapi", self.folder / "openapi")
        # The tokens of the other cases are of the issuer that the written document names.
        (self.folder / "cases").mkdir()
        for name in ("assistant.yaml", "orders.yaml", "pages.yaml"):
            shutil.copy(HERE / "cases" / name, self.folder / "cases")
        self.serve(parts)
        self.keys, self.secret = dict(issued.keys), issued.secret
        self.tokens = Tokens(self.issuer.url, CLIENT, issued.secret)

    @abstractmethod
    def serve(self, parts: ExitStack) -> None:
        """Serve the document; sets `url` and `address`."""


class Shop(Parts):
    """A shop whose gateway runs in this process."""

    def serve(self, parts: ExitStack) -> None:
        """Serve the document."""
        self.gateway = Gateway(self.document)
        parts.callback(self.gateway.stop, DRAIN_SECONDS)
        self.url, self.address = self.gateway.urls["public"], self.gateway.listeners["public"]
