"""DuckDB, in this process and in memory: it reads Parquet, and keeps nothing."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import duckdb

from lockgate.control.analytics import rollups, tables

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duckdb import DuckDBPyConnection

MOST_MEMORY: Final = "768MB"
"""What is larger is written to a folder meanwhile."""
THREADS: Final = 1
"""Answers are short: handing pieces of them to another thread costs more than it saves, most of all on a
machine that has others to serve."""
MOST_LINE_BYTES: Final = 4 << 20
"""More than the node writes in a line."""
_lock = threading.Lock()
_open: list[DuckDBPyConnection] = []


def cursor() -> DuckDBPyConnection:
    """A connection for one thread; all of a process share their tables and what is known of files."""
    with _lock:
        if not _open:
            _open.append(_connect())
        return _open[0].cursor()


def quoted(text: object) -> str:
    """A text in SQL, for file names of ours: they cannot be parameters."""
    return "'" + str(text).replace("'", "''") + "'"


def _connect() -> DuckDBPyConnection:
    # No extension is ever loaded or looked for anywhere.
    found = duckdb.connect(
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "memory_limit": MOST_MEMORY,
            "threads": str(THREADS),
            "preserve_insertion_order": "true",
        }
    )
    found.execute("SET parquet_metadata_cache = true")
    found.execute(tables.MACROS)
    nothing = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in tables.RECORDED.items())
    empty = exceptions_of(f"(SELECT {nothing})")
    found.execute(f"CREATE TABLE tail AS SELECT '' AS segment, * FROM ({empty}) LIMIT 0")
    found.execute("CREATE TABLE no_events AS SELECT * EXCLUDE (segment, rule) FROM tail")
    for name, text in rollups.made("no_events", {one: f"no_{one}" for one in rollups.TABLES}).items():
        found.execute(f"CREATE TABLE no_{name} AS SELECT * FROM ({text}) LIMIT 0")
    return found


def events_of(recorded: str, node: str = "") -> str:
    """The rows of `events` out of recorded lines.

    Args:
        recorded: What selects the lines.
        node: What the node is called that recorded them; by default, what it calls itself.
    """
    return _of_node(tables.EVENTS.format(recorded=recorded), node)


def exceptions_of(recorded: str, node: str = "") -> str:
    """The same, each with the rule that refused it."""
    return _of_node(tables.EXCEPTIONS.format(recorded=recorded), node)


def _of_node(rows: str, node: str) -> str:
    return f"SELECT * REPLACE ({quoted(node)} AS node) FROM ({rows})" if node else rows


def recorded(paths: Iterable[object], *, compression: str = "zstd", is_open: bool = False) -> str:
    """The lines of segments.

    Args:
        paths: Their files.
        compression: `uncompressed` when they are not compressed.
        is_open: Whether they are still being written, so that the last line may be half there.
    """
    files = ", ".join(quoted(path) for path in paths)
    columns = ", ".join(f'"{name}": {quoted(kind)}' for name, kind in tables.RECORDED.items())
    found = (
        f"read_json([{files}], format = 'newline_delimited', columns = {{{columns}}}, filename = true,"
        f" compression = {quoted(compression)}, ignore_errors = {str(is_open).lower()},"
        f" maximum_object_size = {MOST_LINE_BYTES})"
    )
    # Half a line is read as one without values.
    return f'(SELECT * FROM {found} WHERE "at" IS NOT NULL)' if is_open else found
