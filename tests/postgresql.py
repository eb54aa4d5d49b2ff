"""A PostgreSQL of our own, in a folder, behind a Unix socket; nobody else reaches it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT = "postgres"
MISSING = "there is no PostgreSQL server here; scripts/install-postgresql installs one"


def programs() -> Path | None:
    """The folder of `initdb` and `postgres`, when they are installed."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb") or (str(versions[-1]) if versions else None)
    return Path(found).resolve().parent if found else None


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run a server; gives the URL of its empty database."""
    where = programs()
    assert where is not None, MISSING
    data, sockets = folder / "data", folder / "sockets"
    data.mkdir(parents=True)
    sockets.mkdir()
    options: dict[str, Any] = {"cwd": folder}
    if os.geteuid() == 0:
        # It refuses to run as root.
        account = pwd.getpwnam(ACCOUNT)
        for path in (folder, data, sockets):
            os.chown(path, account.pw_uid, account.pw_gid)
        options |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    create = ["--auth=trust", f"--username={ACCOUNT}", "--encoding=UTF8", "--no-sync"]
    _run([where / "initdb", "--pgdata", data, *create], options)
    settings = f"-c listen_addresses='' -c unix_socket_directories={sockets} -c fsync=off"
    log = folder / "log"
    _run([where / "pg_ctl", "start", "-w", "-D", data, "-l", log, "-o", settings], options)
    try:
        yield f"postgresql://{ACCOUNT}@/postgres?host={sockets}"
    finally:
        _run([where / "pg_ctl", "stop", "-w", "-m", "immediate", "-D", data], options)


def fresh(url: str) -> str:
    """The URL of another empty database of the same server."""
    name = f"fresh_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return url.replace("/postgres?", f"/{name}?")


def _run(line: list[str | Path], options: dict[str, Any]) -> None:
    # The server keeps what it inherits, so it inherits nothing; it has a log of its own.
    silent: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    result = subprocess.run(line, check=False, **silent, **options)
    assert result.returncode == 0, f"{line[0]} ended with {result.returncode}"
