"""How a ClickHouse server is reached, and the table that it has for us; needs no database of ours."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from lockgate.control.configuration import ConfigurationError

if TYPE_CHECKING:
    from types import ModuleType

    from clickhouse_connect.driver.client import Client
    from clickhouse_connect.driver.exceptions import Error

COLUMNS: Final = {
    "micros": "Int64",
    "id": "String",
    "node": "LowCardinality(String)",
    "revision": "LowCardinality(String)",
    "api": "LowCardinality(String)",
    "api_version": "LowCardinality(String)",
    "route": "LowCardinality(String)",
    "application": "LowCardinality(String)",
    "source": "String",
    "method": "LowCardinality(String)",
    "scheme": "LowCardinality(String)",
    "host": "LowCardinality(String)",
    "path": "String",
    "http": "LowCardinality(String)",
    "decision": "LowCardinality(String)",
    "code": "LowCardinality(String)",
    "upstream": "LowCardinality(String)",
    "target": "LowCardinality(String)",
    "status": "UInt16",
    "tries": "UInt16",
    "bytes_in": "Int64",
    "bytes_out": "Int64",
    "latency_us": "Int64",
    "upstream_us": "Int64",
    "shadow": "Array(LowCardinality(String))",
    "model": "LowCardinality(String)",
    "provider": "LowCardinality(String)",
    "provider_model": "LowCardinality(String)",
    "failure": "LowCardinality(String)",
    "finish": "LowCardinality(String)",
    "priced_by": "LowCardinality(String)",
    "input_tokens": "Nullable(Int64)",
    "cached_tokens": "Nullable(Int64)",
    "output_tokens": "Nullable(Int64)",
    "reasoning_tokens": "Nullable(Int64)",
    "cost": "Nullable(Int64)",
    "is_stream": "Bool",
    "is_partial": "Bool",
    "is_given_back": "Bool",
    "alert": "LowCardinality(String)",
}
"""Those of the Parquet files of calls."""
STRUCTURE: Final = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
TABLE: Final = f"""CREATE TABLE IF NOT EXISTS events (
  {STRUCTURE.replace("micros Int64", "micros Int64 CODEC(Delta, ZSTD)")},
  batch LowCardinality(String)
) ENGINE = MergeTree
PARTITION BY toYYYYMMDD(fromUnixTimestamp64Micro(micros, 'UTC'))
ORDER BY (intDiv(micros, 3600000000), api, application, micros)
SETTINGS non_replicated_deduplication_window = 1000"""
"""`batch` names the Parquet file that a call came with: by it an answer knows which calls are there."""
SETTINGS: Final = {"use_top_k_dynamic_filtering": 0}
"""What queries need: else 26.5 loses rows of `ORDER BY latency_us DESC, micros LIMIT 50` now and then."""
CONNECT_SECONDS: Final = 3
ANSWER_SECONDS: Final = 60
_OURS: Final = "lockgate:"
_NO_USER, _NO_DATABASE, _DENIED = 516, 81, 497


@dataclass(frozen=True)
class Connection:
    """A server whose table is ours; `id` is drawn when the table is made, so that another one is noticed."""

    client: Client
    id: str


def connect(url: str) -> Connection:
    """Reach a server, and see that its table is there and ours.

    Raises:
        ConfigurationError: Nobody answers, or one that does not let us do it.
    """
    address = _address(url)
    library = _library()
    try:
        client = library.get_client(
            interface=address["scheme"],
            host=address["host"],
            port=address["port"],
            username=address["user"],
            password=address["password"],
            database=address["database"],
            connect_timeout=CONNECT_SECONDS,
            send_receive_timeout=ANSWER_SECONDS,
            # Threads ask at the same time.
            autogenerate_session_id=False,
        )
        for name, value in SETTINGS.items():
            # An older server does not know it, and has no fault to avoid.
            if name in client.server_settings:
                client.set_client_setting(name, value)
        client.command(f"{TABLE} COMMENT '{_OURS}{secrets.token_hex(8)}'")
        said = "FROM system.{} WHERE database = currentDatabase() AND {} = 'events'"
        comment = str(client.command(f"SELECT comment {said.format('tables', 'name')}"))
        found = client.query(f"SELECT name {said.format('columns', 'table')} ORDER BY position").result_rows
    except library.driver.exceptions.Error as error:
        raise _refused(error, address) from None
    where = f"the table `events` in the database `{address['database']}` at {_named(address)}"
    if not comment.startswith(_OURS):
        message = f"{where} was not made by Lockgate"
        raise ConfigurationError(message, "name a database of its own: CREATE DATABASE lockgate")
    if [name for (name,) in found] != [*COLUMNS, "batch"]:
        message = f"{where} was made by another version, and has other columns"
        raise ConfigurationError(
            message, "DROP TABLE events; it is made and filled again from what is kept here"
        )
    return Connection(client, comment.removeprefix(_OURS))


def _address(url: str) -> dict[str, Any]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    database = unquote(parts.path.strip("/"))
    if parts.scheme not in {"http", "https"} or not parts.hostname or not database:
        # What else stands in it may be a password.
        message = "LOCKGATE_CLICKHOUSE names no database of a ClickHouse server"
        raise ConfigurationError(message, "write https://USER:PASSWORD@HOST:8443/DATABASE")
    return {
        "scheme": parts.scheme,
        "host": parts.hostname,
        "port": port or (8443 if parts.scheme == "https" else 8123),
        "user": unquote(parts.username or "default"),
        "password": unquote(parts.password or ""),
        "database": database,
    }


def _library() -> ModuleType:
    try:
        import clickhouse_connect  # noqa: PLC0415 - an extra, which most do not need
        import clickhouse_connect.driver.exceptions  # noqa: PLC0415 - as above
    except ImportError:
        message = "the client for ClickHouse is not installed"
        raise ConfigurationError(message, 'pip install "lockgate[clickhouse]"') from None
    # It writes a stack trace for each server that does not answer; what failed is told by whoever asked.
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
    return clickhouse_connect


def _named(address: dict[str, Any]) -> str:
    return f"{address['host']}:{address['port']}"


def _refused(error: Error, address: dict[str, Any]) -> ConfigurationError:
    where, user, database = _named(address), address["user"], address["database"]
    if error.code == _NO_USER:
        return ConfigurationError(
            f"the ClickHouse server at {where} does not let `{user}` in with this password",
            "set LOCKGATE_CLICKHOUSE to an address with the user and password that it knows",
        )
    if error.code == _NO_DATABASE:
        return ConfigurationError(
            f"there is no database `{database}` on the ClickHouse server at {where}",
            f"make it there: CREATE DATABASE {database}",
        )
    if error.code == _DENIED:
        return ConfigurationError(
            f"`{user}` may not do what is needed in `{database}` on the ClickHouse server at {where}",
            f"GRANT SELECT, INSERT, CREATE TABLE, ALTER DELETE ON {database}.* TO {user}; "
            f"GRANT TABLE ENGINE ON MergeTree TO {user}",
        )
    if error.code is None:
        return ConfigurationError(
            f"no ClickHouse server answers at {where}",
            "see that its HTTP interface listens there, or leave --clickhouse out",
        )
    first = str(error).splitlines()[0][:300]
    return ConfigurationError(f"the ClickHouse server at {where} refuses: {first}", "see its log")
