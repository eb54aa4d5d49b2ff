"""What the endpoint of the nodes knows, looked up every so often; what it was told, written as often."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection, transaction

from lockgate import kept
from lockgate.cluster.wire import Assignment, Members, Refusals, Report
from lockgate.control.node import node_state
from lockgate.control.nodes import assignments
from lockgate.control.nodes.assignments import Plan
from lockgate.control.nodes.models import Node, Publication
from lockgate.control.nodes.services import public_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.5
"""How soon a revocation or a block is seen, and reaches every node that asks."""
REFUSALS_SECONDS: Final = 10.0
"""How soon it is seen that a block has ended."""
_THREADS: Final = 3
_PAYLOADS: Final = 6
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Known:
    """A node that is answered."""

    pk: int
    key: Ed25519PublicKey


@dataclass(frozen=True)
class Told:
    """What a node said of itself."""

    report: Report
    address: str
    at: float


@dataclass
class _Seen:
    """What was looked up."""

    keys: dict[str, tuple[int, str]] = field(default_factory=dict)
    nodes: dict[str, Known] = field(default_factory=dict)
    plan: Plan = field(default_factory=Plan)
    refusals: Refusals = field(default_factory=Refusals)


class Lookout:
    """Looks up and writes down, in threads of its own."""

    def __init__(self) -> None:
        self._seen = _Seen()
        self._told: dict[int, Told] = {}
        self._since: dict[int, int | None] = {}
        self._changed = asyncio.Event()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="nodes")
        self._payloads: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._fetching = asyncio.Lock()
        self._refusals_at = (-1, 0.0)
        self._looked = False
        self._first: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def is_ready(self) -> bool:
        """Whether something was looked up; the first who asks begins with it."""
        if self._first is None:
            self._first = asyncio.create_task(self.look())
            self._task = asyncio.create_task(self._again())
        await asyncio.shield(self._first)
        return self._looked

    def node(self, key_id: str) -> Known | None:
        """The node that has a key."""
        return self._seen.nodes.get(key_id)

    def tell(self, node: int, told: Told) -> None:
        """Keep what a node says; the last word counts."""
        self._told[node] = told
        # What it said since is in it.
        self._since.pop(node, None)

    def pushed(self, node: int, since: int | None) -> None:
        """Keep from when on something of a node's recording is not here; nothing when all is."""
        self._since[node] = since

    @property
    def size(self) -> int:
        """How many nodes are answered."""
        return len(self._seen.nodes)

    def assignment(self, node: int) -> Assignment:
        """What a node is to serve."""
        return self._seen.plan.of(node, self._seen.refusals.digest)

    def in_trial(self, node: int) -> int:
        """How many nodes others wait for, when this is one of them."""
        in_trial = self._seen.plan.in_trial
        return len(in_trial) if node in in_trial else 0

    @property
    def refusals(self) -> Refusals:
        """What every node is to refuse."""
        return self._seen.refusals

    @property
    def changed(self) -> asyncio.Event:
        """Set when something is to be served otherwise than before; each change has another one."""
        return self._changed

    async def call(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do something that waits for a disk or a database."""

        def done() -> R:
            close_old_connections()
            try:
                return work(*args, **kwargs)
            finally:
                connection.close()

        return await asyncio.get_running_loop().run_in_executor(self._threads, done)

    async def look(self) -> None:
        """Write down what was told, and look up what changed."""
        told, self._told = self._told, {}
        since, self._since = self._since, {}
        try:
            seen = await self.call(self._look, told, since)
        except (DatabaseError, kept.KeptError, OSError, ValueError) as error:
            log.warning("what nodes are to serve cannot be looked up: %s", error)
            # What was told last counts; what came meanwhile is newer.
            self._told = {**told, **self._told}
            self._since = {**since, **self._since}
            return
        is_changed = seen.plan != self._seen.plan or seen.refusals != self._seen.refusals
        self._seen, self._looked = seen, True
        if is_changed:
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()

    async def payload(self, kind: str, number: int) -> bytes | None:
        """What nodes get of a publication; nothing when there is none of that number."""
        # One question to the database, however many nodes want it now.
        async with self._fetching:
            if (kind, number) not in self._payloads:
                found = await self.call(_payload, kind, number)
                if found is None:
                    return None
                self._payloads[kind, number] = found
                while len(self._payloads) > _PAYLOADS:
                    self._payloads.popitem(last=False)
            self._payloads.move_to_end((kind, number))
            return self._payloads[kind, number]

    async def _again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    def _look(self, told: dict[int, Told], since: dict[int, int | None]) -> _Seen:
        if told or since:
            _write(told, since)
        before = self._seen
        keys = assignments.keys()
        nodes = before.nodes
        if keys != before.keys:
            nodes = {key_id: Known(pk, public_key(text)) for key_id, (pk, text) in keys.items()}
        return _Seen(keys, nodes, assignments.plan(), self._refusals())

    def _refusals(self) -> Refusals:
        changed, looked = self._refusals_at
        now = assignments.refusals_changed(node_state(settings.LOCKGATE.state), 0)
        if now == changed and time.monotonic() - looked < REFUSALS_SECONDS:
            return self._seen.refusals
        found = assignments.refusals()
        self._refusals_at = (now, time.monotonic())
        return found


def _write(told: dict[int, Told], since: dict[int, int | None]) -> None:
    with transaction.atomic():
        for pk, one in told.items():
            said = one.report
            Node.objects.filter(pk=pk).update(
                address=one.address[:45],
                seen_at=datetime.fromtimestamp(one.at, UTC),
                version=said.version,
                started=said.started,
                revision=said.revision,
                generation=said.generation,
                stage=said.stage,
                directory=said.directory,
                counts=said.counts.model_dump(),
                refused=[refused.model_dump() for refused in said.refused],
                recorded=said.recorded.model_dump() if said.recorded else {},
            )
        for node in Node.objects.filter(pk__in=since).exclude(recorded={}):
            begins = since[node.pk]
            segments = node.recorded.get("segments", 0) if begins else 0
            recorded = {**node.recorded, "since": begins, "segments": segments}
            Node.objects.filter(pk=node.pk).update(recorded=recorded)


def _payload(kind: str, number: int) -> bytes | None:
    found = Publication.objects.filter(kind=kind, number=number).exclude(payload="").first()
    if found is None:
        return None
    if kind == Publication.Kind.REVISION:
        return found.payload.encode()
    # What does not fit is told here, and not by nodes.
    return (
        Members.model_validate_json(f'{{"number":{number},"applications":{found.payload}}}')
        .model_dump_json()
        .encode()
    )
