"""The process of the worker, which `lockgate serve` starts beside the console."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Final

import django
from django.db import DatabaseError, connection

from lockgate.control.configuration import ConfigurationError, ControlSettings
from lockgate.control.process import asked_to_end, fail

WAIT_SECONDS: Final = 0.2
"""How often it looks whether the console has made the tables."""


def main() -> None:
    """Work until SIGTERM."""
    asked_to_end("python -m lockgate.control.worker", __doc__)
    os.umask(0o077)
    os.environ["DJANGO_SETTINGS_MODULE"] = "lockgate.control.settings"
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        ControlSettings.from_environment().check()
        django.setup()
    except ConfigurationError as error:
        sys.exit(fail(str(error), error.help, 2))
    # Django must have been set up before any of these is imported.
    from lockgate.control.worker.running import Worker  # noqa: PLC0415
    from lockgate.control.worker.tasks import KINDS, TASKS  # noqa: PLC0415

    while not _has_tables() and not stopping.wait(WAIT_SECONDS):
        pass
    worker = Worker(TASKS, KINDS)
    if not stopping.is_set():
        worker.start()
        print(f"{len(TASKS)} tasks are done again and again, and {len(KINDS)} kinds of jobs when asked for")
        sys.stdout.flush()
        stopping.wait()
    worker.stop()


def _has_tables() -> bool:
    """Whether the console, which alone changes tables, has made those that this version knows."""
    from django.db.migrations.executor import MigrationExecutor  # noqa: PLC0415

    try:
        executor = MigrationExecutor(connection)
        return not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    main()
