"""A ClickHouse server that has the recorded calls as well, and answers the named queries.

Parts are sent as they are taken, each once: a part is noted before it is begun, the server takes nothing
twice that has the part's name, and an answer leaves out of the server's table whatever was not noted as
being there for sure, and is given the calls of that along. So it misses none and counts none twice, whatever
has died in between. While the server does not answer, or has to get more than can be given along, the
Parquet files are asked here.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.conf import settings
from django.db.models import Q

from lockgate.control.analytics import duck, store
from lockgate.control.analytics.clickhouse import text_of
from lockgate.control.analytics.connecting import STRUCTURE, Connection, connect
from lockgate.control.analytics.models import LIVE, Part
from lockgate.control.analytics.relations import relations_of
from lockgate.control.configuration import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockgate.control.analytics.statement import Statement

Came = TypeVar("Came")

log = logging.getLogger(__name__)

MOST_GIVEN: Final = 200_000
"""So many calls are given along with a query; with more, the files here are the faster way."""
MOST_SENT: Final = 20
"""How many parts a round sends."""
SETTLED_SECONDS: Final = 10
"""So long a part has counted before it is sent: whoever looked at the catalogue before it did, and has its
calls from the segment, is done with the page by then."""
REST_SECONDS: Final = 30
"""So long a server that failed is not asked again, so that pages do not wait for it."""


@dataclass
class _Known:
    url: str = ""
    connection: Connection | None = None
    rests_until: float = 0.0


_known = _Known()
_lock = threading.Lock()


def forget() -> None:
    """Connect anew, and at once."""
    global _known  # noqa: PLW0603 - what this process knows
    _known = _Known()


def rows(query: Statement) -> list[tuple[Any, ...]] | None:
    """What the server says; nothing when there is none, or it cannot say it now."""
    connection = _connection()
    if connection is None:
        return None
    parts, text = relations_of(query.span).unsent(connection.id)
    if sum(part.events for part in parts) > MOST_GIVEN:
        return None
    given, many = _given(text)
    if many > MOST_GIVEN:
        return None
    asked = text_of(query, [part.name for part in parts], gives=bool(many))
    return _tried(lambda: _ask(connection, asked, query.given(), given if many else None))


def send_new(most: int = MOST_SENT) -> int:
    """Send parts that are not there yet, oldest first; gives how many were."""
    connection = _connection()
    if connection is None:
        return 0
    there = Q(server=connection.id, is_sent=True)
    settled = Part.objects.filter(state=LIVE, since__lte=int(time.time()) - SETTLED_SECONDS)
    parts = settled.exclude(there).order_by("first_at", "id")
    sent = 0
    for part in parts[:most]:
        if _tried(partial(_send, connection, part)) is None:
            break
        sent += 1
    return sent


def drop_before(second: int) -> None:
    """Drop the days that ended before."""
    connection = _connection()
    if connection is not None:
        _tried(lambda: _drop(connection, f"{datetime.fromtimestamp(second, UTC):%Y%m%d}"))


def mergeable() -> list[Q]:
    """Which parts may be made one: they are on the same server, or on none, and nobody is sending them.

    With a server, only what it has: what is to be sent keeps its name, by which it is there once.
    """
    if settings.LOCKGATE.clickhouse:
        connection = _connection()
        return [Q(server=connection.id, is_sent=True)] if connection else []
    servers = Part.objects.filter(state=LIVE, is_sent=True).values_list("server", flat=True).distinct()
    return [Q(server="", is_sent=False), *(Q(server=one, is_sent=True) for one in sorted(servers))]


def _connection() -> Connection | None:
    url = settings.LOCKGATE.clickhouse
    if not url:
        return None
    with _lock:
        if _known.url != url:
            _known.url, _known.connection, _known.rests_until = url, None, 0.0
        if time.monotonic() < _known.rests_until:
            return None
        if _known.connection is None:
            try:
                _known.connection = connect(url)
            except ConfigurationError as error:
                _rest(str(error))
        return _known.connection


def _rest(why: str) -> None:
    log.warning("ClickHouse: %s; what is kept here is asked for %d seconds", why, REST_SECONDS)
    _known.connection = None
    _known.rests_until = time.monotonic() + REST_SECONDS


def _tried(do: Callable[[], Came]) -> Came | None:
    """What came of it; nothing when the server failed, which is connected anew after a rest."""
    from clickhouse_connect.driver.exceptions import ClickHouseError  # noqa: PLC0415 - an extra

    try:
        return do()
    except ClickHouseError as error:
        with _lock:
            _rest(str(error).splitlines()[0][:300])
        return None


def _ask(
    connection: Connection, text: str, parameters: dict[str, Any], given: bytes | None
) -> list[tuple[Any, ...]]:
    from clickhouse_connect.driver.external import ExternalData  # noqa: PLC0415 - an extra

    external = (
        None
        if given is None
        else ExternalData(file_name="unsent", data=given, fmt="Parquet", structure=STRUCTURE)
    )
    found = connection.client.query(text, parameters=parameters, external_data=external)
    return [tuple(row) for row in found.result_rows]


def _send(connection: Connection, part: Part) -> bool:
    """Whoever sends a part a second time, or at the same time as another, changes nothing."""
    client = connection.client
    was_begun = part.server == connection.id
    if not was_begun:
        Part.objects.filter(pk=part.pk).update(server=connection.id, is_sent=False)
    if not (was_begun and _there(connection, part) == part.events):
        calls = f"SELECT *, {duck.quoted(part.name)} AS batch FROM {store.read('events', [part])}"
        client.raw_insert(
            "events",
            insert_block=_parquet(calls)[0],
            fmt="Parquet",
            settings={
                "async_insert": 0,
                "insert_deduplication_token": part.name,
                # What is sent again must be cut into the same blocks.
                "input_format_parquet_preserve_order": 1,
                "max_insert_threads": 1,
                "max_threads": 1,
            },
        )
    Part.objects.filter(pk=part.pk).update(is_sent=True)
    return True


def _there(connection: Connection, part: Part) -> int:
    found = connection.client.query(
        "SELECT count() FROM events WHERE batch = {batch:String}", parameters={"batch": part.name}
    )
    count: int = found.result_rows[0][0]
    return count


def _drop(connection: Connection, day: str) -> bool:
    found = connection.client.query(
        "SELECT DISTINCT _partition_id FROM events WHERE _partition_id < {day:String}",
        parameters={"day": day},
    )
    for (partition,) in found.result_rows:
        connection.client.command(f"ALTER TABLE events DROP PARTITION ID {duck.quoted(partition)}")
    return True


def _given(text: str) -> tuple[bytes, int]:
    return _parquet(f"{text} LIMIT {MOST_GIVEN + 1}")


def _parquet(text: str) -> tuple[bytes, int]:
    """The rows of a query as a Parquet file, and how many there are."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calls.parquet"
        copied = duck.cursor().execute(f"COPY ({text}) TO {duck.quoted(path)} (FORMAT parquet)").fetchone()
        return path.read_bytes(), copied[0] if copied else 0
