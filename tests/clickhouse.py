"""A ClickHouse server of our own: its HTTP interface, users and storage, in a folder, on loopback."""

from __future__ import annotations

import ctypes
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

LIBRARY = Path(__file__).parents[1] / ".tools" / "clickhouse" / "libchdb.so"
MISSING = "there is no ClickHouse server here; scripts/install-clickhouse installs one"
USER, PASSWORD, DATABASE = "lockgate", "s3cret/with:signs", "calls"
START_SECONDS = 120
_USERS = f"""<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users>
<default><password></password><networks><ip>127.0.0.1</ip></networks>
  <profile>default</profile><quota>default</quota><access_management>1</access_management></default>
<{USER}><password>{PASSWORD}</password><networks><ip>127.0.0.1</ip></networks>
  <profile>default</profile><quota>default</quota>
  <grants><query>GRANT SELECT, INSERT, CREATE TABLE, ALTER DELETE ON {DATABASE}.*</query>
    <query>GRANT TABLE ENGINE ON MergeTree</query></grants></{USER}>
<reader><password>{PASSWORD}</password><networks><ip>127.0.0.1</ip></networks>
  <profile>default</profile><quota>default</quota>
  <grants><query>GRANT SELECT ON {DATABASE}.*</query></grants></reader>
</users></clickhouse>"""
_LISTEN = """SYSTEM START LISTEN HTTP;
SELECT sleepEachRow(3) FROM numbers(10000)
SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 3600000000 FORMAT Null"""
"""A local one ends with its last query."""


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run a server; gives its address, without a user."""
    assert LIBRARY.exists(), MISSING
    folder.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "users.xml").write_text(_USERS)
    (folder / "config.xml").write_text(
        f"<clickhouse><users_config>{folder}/users.xml</users_config>"
        f"<listen_host>127.0.0.1</listen_host><http_port>{port}</http_port></clickhouse>"
    )
    options = [f"--config-file={folder}/config.xml", f"--path={folder}/data", f"--query={_LISTEN}"]
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen([sys.executable, __file__, *options], stdout=output, stderr=output)
    try:
        _wait(process, f"http://127.0.0.1:{port}", log)
        httpx.post(f"http://127.0.0.1:{port}", content=f"CREATE DATABASE {DATABASE}").raise_for_status()
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(f"{url}/ping").text == "Ok.\n":
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(log.read_text())


def main() -> None:
    """Do what `clickhouse local` does with these arguments."""
    library = ctypes.CDLL(str(LIBRARY))
    run, error = library.chdb_query_cmdline, library.chdb_result_error
    run.restype, error.restype, error.argtypes = ctypes.c_void_p, ctypes.c_char_p, [ctypes.c_void_p]
    given = [b"clickhouse", *(one.encode() for one in sys.argv[1:])]
    print(error(run(len(given), (ctypes.c_char_p * (len(given) + 1))(*given, None))))


if __name__ == "__main__":
    main()
