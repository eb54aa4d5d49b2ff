"""The thread that follows the recording."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db import DatabaseError, close_old_connections, connection

from lockgate.control.events.index import index_new

if TYPE_CHECKING:
    import threading

log = logging.getLogger(__name__)


def follow(stopping: threading.Event, seconds: float) -> None:
    """Read what was sealed every so many seconds, until it is told to stop.

    A database that is away for a while is asked again; what could not be written is read again.
    """
    while not stopping.wait(seconds):
        close_old_connections()
        try:
            while index_new(20) and not stopping.is_set():
                pass
        except (DatabaseError, OSError) as error:
            log.warning("the recording could not be read into the database: %s", error)
    connection.close()
