"""Where nodes ask: in front of Django, so that a thousand that wait cost a connection each, and no thread.

Whoever asks is known by the signature before anything else is looked at. What a node tells is kept here and
written once in a while for all of them; what it is to serve is looked up once in a while for all of them. So
the database does the same work for three nodes and for a thousand that come back together (F14).
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from django.conf import settings
from pydantic import ValidationError

from lockgate.cluster import wire
from lockgate.cluster.signatures import ANSWER, Replays, SignatureError, Signed, key_id, sign_answer
from lockgate.control.accounts.errors import AccountError
from lockgate.control.nodes import segments, services
from lockgate.control.nodes.keys import cluster_key, public_pem
from lockgate.control.nodes.load import LOAD, BusyError
from lockgate.control.nodes.lookout import Lookout, Told
from lockgate.control.nodes.models import Publication
from lockgate.control.process import STARTED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from uvicorn._types import (
        ASGI3Application,
        ASGIReceiveCallable,
        ASGISendCallable,
        HTTPScope,
        Scope,
    )

    from lockgate.control.nodes.lookout import Known

HOLD_SECONDS: Final = 25.0
"""How long a question waits for news."""
SHORTEST_HOLD: Final = 0.5
MOST_REPORTS: Final = 100
"""So many reports a second at most of nodes that others wait for."""
MOST_BODY_BYTES: Final = 64 << 10
"""Of everything but segments."""
BODY_SECONDS: Final = 10.0
"""How long it may take to come."""
SHORTEST_PIECES: Final = 2.0
"""So many seconds lie between two pieces of a node's open segment at least."""
MOST_PIECES: Final = 50
"""So many a second come of all nodes together."""
MOST_DIGITS: Final = 19
"""Of a number in a query."""
_WRITE_BYTES: Final = 1 << 20


class _RefusedError(Exception):
    """A request that is answered with a status and a reason."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class _GoneError(Exception):
    """Whoever asked has gone."""


@dataclass(frozen=True)
class _Asked:
    """A request whose signature fits."""

    scope: HTTPScope
    receive: ASGIReceiveCallable
    signed: Signed
    node: Known | None

    @property
    def address(self) -> str:
        """From where."""
        client = self.scope["client"]
        return client[0] if client else ""

    @property
    def known(self) -> Known:
        """The node that asks."""
        if self.node is None:
            raise _RefusedError(403, "this control plane knows no such node; enrol it again")
        return self.node

    async def body(self, most: int = MOST_BODY_BYTES) -> bytes:
        """Its body, which is the one that was signed."""
        found = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in _chunks(self.receive):
                    found += chunk
                    if len(found) > most:
                        raise _RefusedError(413, f"a body has at most {most:,} bytes")
        except TimeoutError:
            raise _RefusedError(408, f"the body did not come within {BODY_SECONDS:g} s") from None
        self.signed.verify_body(hashlib.sha256(found).digest())
        return bytes(found)


class NodesEndpoint:
    """Answers nodes, and leaves everything else to Django.

    Args:
        app: What answers everything else.
    """

    def __init__(self, app: ASGI3Application) -> None:
        self._app = app
        self._key = cluster_key(settings.LOCKGATE.state)
        self._replays = Replays(STARTED)
        self._lookout: Lookout | None = None

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer."""
        if scope["type"] != "http" or not scope["path"].startswith(wire.PREFIX):
            await self._app(scope, receive, send)
            return
        nonce = ""
        try:
            with LOAD.worked_on():
                target = _target(scope)
                signed = Signed.read(scope["method"], target, _headers(scope))
                nonce = signed.nonce
                await self._answer(scope, receive, send, signed)
        except BusyError as error:
            LOAD.turned_away += 1
            later = (b"retry-after", str(error.seconds).encode())
            await self._say(send, 503, b"too many nodes ask at once; come back later", nonce, later)
        except SignatureError as error:
            await self._say(send, 401, str(error).encode(), nonce)
        except _RefusedError as error:
            await self._say(send, error.status, str(error).encode(), nonce)
        except _GoneError:
            return

    async def _answer(
        self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable, signed: Signed
    ) -> None:
        if self._lookout is None:
            # Not before there is a loop that it belongs to.
            self._lookout = Lookout()
        lookout, now = self._lookout, time.time()
        if not await lookout.is_ready():
            raise BusyError(1, 10)
        asked = _Asked(scope, receive, signed, lookout.node(signed.key))
        method, path = scope["method"], scope["path"]
        if (method, path) == ("POST", wire.ENROL):
            with LOAD.enrols():
                await self._say(send, 200, await self._enrol(lookout, asked, now), signed.nonce)
            return
        signed.verify(asked.known.key, now)
        self._replays.take(signed, now)
        if (method, path) == ("POST", wire.POLL):
            await self._poll(lookout, asked, send)
        elif method == "PUT" and path.startswith(wire.SEGMENTS):
            taken = await self._pushed(lookout, asked, path.removeprefix(wire.SEGMENTS))
            await self._say(send, 200, taken.model_dump_json().encode(), signed.nonce)
        elif method == "GET":
            await asked.body()
            await self._say(send, 200, await _content(lookout, asked.known, path), signed.nonce)
        else:
            raise _RefusedError(404, f"nodes do not ask `{method} {path}`")

    async def _enrol(self, lookout: Lookout, asked: _Asked, now: float) -> bytes:
        body = await asked.body()
        try:
            said = wire.Enrolment.model_validate_json(body)
            key: Ed25519PublicKey = services.public_key(said.public_key)
        except (ValidationError, AccountError):
            raise _RefusedError(422, "this is not how nodes enrol") from None
        if key_id(key) != asked.signed.key:
            raise _RefusedError(401, "it is signed with another key than it brings")
        # Whoever asks must hold the private half.
        asked.signed.verify(key, now)
        self._replays.take(asked.signed, now)
        try:
            node = await lookout.call(services.enrol, said, asked.address)
        except AccountError as error:
            raise _RefusedError(403, str(error)) from None
        await lookout.look()
        answer = wire.Enrolled(name=node.name, control_key=public_pem(self._key))
        return answer.model_dump_json().encode()

    async def _poll(self, lookout: Lookout, asked: _Asked, send: ASGISendCallable) -> None:
        try:
            report = wire.Report.model_validate_json(await asked.body())
        except ValidationError:
            raise _RefusedError(422, "the report is of another version; update this node") from None
        node = asked.known.pk
        lookout.tell(node, Told(report, asked.address, time.time()))
        with LOAD.waits():
            ends = time.monotonic() + _hold(lookout.in_trial(node))
            gone = asyncio.ensure_future(_gone(asked.receive))
            try:
                while lookout.assignment(node).digest == report.known:
                    left = ends - time.monotonic()
                    if left <= 0 or gone.done():
                        break
                    news = asyncio.ensure_future(lookout.changed.wait())
                    await asyncio.wait((news, gone), timeout=left, return_when=asyncio.FIRST_COMPLETED)
                    news.cancel()
                if gone.done():
                    raise _GoneError
            finally:
                gone.cancel()
            body = lookout.assignment(node).model_dump_json().encode()
            await self._say(send, 200, body, asked.signed.nonce)

    async def _pushed(self, lookout: Lookout, asked: _Asked, name: str) -> wire.Taken:
        said = _numbers(asked.scope["query_string"])
        is_open = name.endswith(wire.PART) and segments.is_name(name.removesuffix(wire.PART))
        if not is_open and not segments.is_kept(name):
            raise _RefusedError(422, "this is not what segments are called")
        node = await lookout.call(services.name_of, asked.known.pk)
        if is_open:
            taken = await self._piece(lookout, asked, node, name, said.get("from", 0))
        else:
            taken = await self._segment(lookout, asked, node, name)
        if (since := said.get("since")) is not None:
            lookout.pushed(asked.known.pk, since or None)
        return wire.Taken(bytes=taken, every_seconds=pieces_every(lookout.size))

    async def _piece(self, lookout: Lookout, asked: _Asked, node: str, name: str, begins: int) -> int:
        content = await asked.body(wire.MOST_PIECE_BYTES)
        if begins + len(content) > segments.MOST_BYTES:
            raise _RefusedError(413, f"`{name}` has at most {segments.MOST_BYTES:,} bytes")
        try:
            return await lookout.call(segments.append, node, name, begins, content)
        except OSError as error:
            raise _RefusedError(507, f"the disk does not take it: {error.strerror}") from None

    async def _segment(self, lookout: Lookout, asked: _Asked, node: str, name: str) -> int:
        with LOAD.uploaded():
            is_there = await lookout.call(segments.is_there, node, name)
            coming = None if is_there else await lookout.call(segments.Incoming, node, name)
            digest, taken, waiting, most = hashlib.sha256(), 0, bytearray(), segments.most_bytes(name)
            try:
                async for chunk in _chunks(asked.receive):
                    digest.update(chunk)
                    taken += len(chunk)
                    if taken > most:
                        raise _RefusedError(413, f"`{name}` has at most {most:,} bytes")
                    waiting += chunk
                    if coming is not None and len(waiting) >= _WRITE_BYTES:
                        await lookout.call(coming.add, bytes(waiting))
                        waiting.clear()
                asked.signed.verify_body(digest.digest())
                if coming is not None:
                    await lookout.call(coming.add, bytes(waiting))
                    await lookout.call(coming.keep)
                    coming = None
                return taken
            except OSError as error:
                raise _RefusedError(507, f"the disk does not take it: {error.strerror}") from None
            finally:
                if coming is not None:
                    await lookout.call(coming.drop)

    async def _say(
        self, send: ASGISendCallable, status: int, body: bytes, nonce: str, *more: tuple[bytes, bytes]
    ) -> None:
        headers = [
            (b"content-type", b"application/json" if status == 200 else b"text/plain"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            *more,
        ]
        if nonce and status != 503:
            headers.append((ANSWER.encode(), sign_answer(self._key, status, nonce, body).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
        await send({"type": "http.response.body", "body": body, "more_body": False})


def pieces_every(nodes: int) -> float:
    """How many seconds lie between two pieces of a node: those of all together come at a bounded rate."""
    return max(SHORTEST_PIECES, nodes / MOST_PIECES)


def _numbers(query: bytes) -> dict[str, int]:
    """What a query says in numbers."""
    try:
        fields = parse_qsl(query.decode("ascii"), strict_parsing=bool(query), max_num_fields=4)
    except ValueError:
        raise _RefusedError(422, "this is not how segments are pushed") from None
    if not all(value.isdecimal() and len(value) <= MOST_DIGITS for _, value in fields):
        raise _RefusedError(422, "this is not how segments are pushed")
    return {name: int(value) for name, value in fields}


async def _content(lookout: Lookout, node: Known, path: str) -> bytes:
    if path == wire.REFUSALS:
        return lookout.refusals.model_dump_json().encode()
    assigned = lookout.assignment(node.pk)
    for prefix, kind, number in (
        (wire.REVISIONS, Publication.Kind.REVISION, assigned.revision),
        (wire.DIRECTORIES, Publication.Kind.DIRECTORY, assigned.directory),
    ):
        # What is not its turn yet, a node does not get, however it asks.
        if number is not None and path == f"{prefix}{number}":
            found = await lookout.payload(kind, number)
            if found is not None:
                return found
    raise _RefusedError(404, "this is not what the node is to serve now; ask again")


async def _chunks(receive: ASGIReceiveCallable) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _GoneError
        yield message["body"]
        if not message["more_body"]:
            return


async def _gone(receive: ASGIReceiveCallable) -> None:
    with suppress(asyncio.CancelledError):
        while (await receive())["type"] != "http.disconnect":
            pass


def _hold(in_trial: int) -> float:
    """How long a question waits; not one time for all, as they would come back together.

    Args:
        in_trial: How many nodes, this one among them, others wait for: they are to tell soon how it goes.
    """
    longest = HOLD_SECONDS * random.SystemRandom().uniform(0.8, 1.2)
    if not in_trial:
        return longest
    pace = settings.LOCKGATE.pace
    shortest = max(SHORTEST_HOLD, in_trial / MOST_REPORTS)
    return min(longest, max(shortest, min(pace.seconds, pace.directory_seconds) / 4))


def _target(scope: HTTPScope) -> str:
    query = scope["query_string"].decode("ascii", "replace")
    path = (scope["raw_path"] or scope["path"].encode()).decode("ascii", "replace")
    return f"{path}?{query}" if query else path


def _headers(scope: HTTPScope) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        text = name.decode("latin-1").lower()
        if text in found:
            # Of two that differ, each reader could take another one.
            raise SignatureError(f"the field `{text}` is there twice")
        found[text] = value.decode("latin-1")
    return found
