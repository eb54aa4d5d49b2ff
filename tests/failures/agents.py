"""Nodes of a cluster without what they serve: each talks as a real one does, in a task of its own."""

from __future__ import annotations

import asyncio
import base64
import random
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from lockgate.cluster.asking import Wait
from lockgate.cluster.backoff import Backoff
from lockgate.cluster.conversation import Conversation
from lockgate.cluster.identity import Answer, Identity
from lockgate.cluster.signatures import key_id, raw
from lockgate.cluster.wire import Members, Refusals, Report

if TYPE_CHECKING:
    from lockgate.cluster.identity import Request


@dataclass
class Light:
    """What a node has taken, in place of what serves it."""

    revision: int = 0
    directory: int = 0
    refusals: Refusals = field(default_factory=Refusals)
    said: list[str] = field(default_factory=list)
    is_empty = False

    def report(self, known: str) -> Report:
        return Report(known=known, generation=self.revision or None, directory=self.directory, started=1.0)

    def refuse(self, refusals: Refusals) -> None:
        self.refusals = refusals

    def go_back(self, withdrawn: tuple[int, ...], to: int | None) -> None:
        if self.revision in withdrawn and to is not None:
            self.revision = to

    def has_directory(self, number: int) -> bool:
        return self.directory >= number

    def take_directory(self, members: Members) -> None:
        self.directory = members.number

    def has_revision(self, number: int) -> bool:
        return self.revision == number

    def take_revision(self, number: int, bundle: bytes, *, again: bool) -> None:
        assert not again
        assert bundle.startswith(b'{"base"')
        self.revision = number

    def say(self, text: str) -> None:
        self.said.append(text)


@dataclass
class Crowd:
    """Nodes that talk to a control plane at once.

    Args:
        control: Its address.
        pem: Its public key.
        size: How many.
    """

    control: str
    pem: str
    size: int
    nodes: list[Light] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    """Answers by status; 0 is none."""
    asked: list[float] = field(default_factory=list)
    """When each request was made, in seconds of the monotonic clock."""

    def __post_init__(self) -> None:
        self.keys = [Ed25519PrivateKey.generate() for _ in range(self.size)]
        control_key = load_pem_public_key(self.pem.encode())
        assert isinstance(control_key, Ed25519PublicKey)
        self.control_key = control_key

    def rows(self) -> list[tuple[Any, ...]]:
        """As the table of nodes has them."""
        now = "2026-11-25 12:00:00"
        return [
            (
                f"node-{number}-{uuid.uuid4().hex[:8]}",
                key_id(key.public_key()),
                base64.b64encode(raw(key.public_key())).decode(),
                now,
            )
            for number, key in enumerate(self.keys)
        ]

    async def talk(self, until: asyncio.Event) -> None:
        """Talk until something is set."""
        host, _, port = self.control.removeprefix("http://").partition(":")
        self.nodes = self.nodes or [Light() for _ in self.keys]
        tasks = [
            asyncio.create_task(self._one(key, node, host, int(port), seed))
            for seed, (key, node) in enumerate(zip(self.keys, self.nodes, strict=True))
        ]
        await until.wait()
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        wrong = [one for one in ended if not isinstance(one, asyncio.CancelledError)]
        assert not wrong, wrong[:3]

    async def _one(self, key: Ed25519PrivateKey, node: Light, host: str, port: int, seed: int) -> None:
        identity = Identity(f"n{seed}", self.control, key, self.control_key, self.pem)
        backoff = Backoff(random=random.Random(seed), most=10.0)
        talk = Conversation(identity, node, backoff=backoff).talk()
        step = next(talk)
        while True:
            if isinstance(step, Wait):
                await asyncio.sleep(step.seconds)
                answer = None
            else:
                self.asked.append(time.monotonic())
                answer = await _send(host, port, step)
                status = answer.status if answer else 0
                self.statuses[status] = self.statuses.get(status, 0) + 1
            step = talk.send(answer)


async def _send(host: str, port: int, request: Request) -> Answer | None:
    assert isinstance(request.body, bytes)
    fields = {**request.headers, "Host": f"{host}:{port}", "Connection": "close"}
    fields["Content-Length"] = str(len(request.body))
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    try:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(f"{request.method} {request.target} HTTP/1.1\r\n{head}\r\n".encode() + request.body)
            whole = await reader.read(-1)
        finally:
            writer.close()
    except OSError:
        return None
    head_, found, body = whole.partition(b"\r\n\r\n")
    first, *lines = head_.decode("latin-1").split("\r\n")
    if not found or not first.startswith("HTTP/1.1 "):
        return None
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if len(body) != int(headers.get("content-length", len(body))):
        return None
    return Answer(int(first.split(" ")[1]), headers, body)
