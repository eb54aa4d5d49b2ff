"""The threads of a worker: one for each task, some for jobs, and one that says that it lives."""

from __future__ import annotations

import logging
import secrets
import threading
from typing import TYPE_CHECKING, Final

from django.db import DatabaseError, close_old_connections, connection

from lockgate.audit.identity import machine
from lockgate.control.worker import jobs
from lockgate.control.worker.jobs import LostError, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lockgate.control.worker.tasks import Kind, Task

log = logging.getLogger(__name__)

JOBS_AT_ONCE: Final = 2
LOOK_SECONDS: Final = 0.5
"""How often a worker with nothing to do looks for a job."""
BEAT_SECONDS: Final = 5.0


class Worker:
    """Runs tasks and jobs until it is told to stop.

    Args:
        tasks: What is done every so often.
        kinds: What jobs there are.
    """

    def __init__(self, tasks: Sequence[Task], kinds: Sequence[Kind]) -> None:
        self.name = f"{machine()[:40]}:{secrets.token_hex(8)}"
        self._kinds = {kind.name: kind for kind in kinds}
        self._tasks = tasks
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start the threads. They are daemons: whoever stops does not wait for a job of minutes."""
        rounds: list[tuple[str, float, Callable[[], object]]] = [
            (task.name, task.every_seconds, task.run) for task in self._tasks
        ]
        rounds.append(("beat", BEAT_SECONDS, lambda: jobs.beat(self.name)))
        rounds += [(f"jobs {number}", LOOK_SECONDS, self.run_waiting) for number in range(JOBS_AT_ONCE)]
        for name, seconds, run in rounds:
            line = threading.Thread(target=self._again, args=(name, seconds, run), name=name, daemon=True)
            line.start()

    def stop(self) -> None:
        """Begin nothing more, and give back what is not finished."""
        self._stopping.set()
        try:
            jobs.release(self.name)
        except DatabaseError as error:
            log.warning("jobs could not be given back; they are free when their time is over: %s", error)

    def run_waiting(self) -> None:
        """Run jobs until none is waiting."""
        while not self._stopping.is_set() and (job := jobs.take(self.name)) is not None:
            self.run(Work(job))

    def run(self, work: Work) -> None:
        """Run a job. Whatever it raises is its own end and nobody else's."""
        kind = self._kinds.get(work.job.kind)
        try:
            if kind is None:
                work.failed(f"this worker knows no job `{work.job.kind}`; it may be older than the console")
                return
            result = kind.run(work)
            work.done(result)
        except LostError:
            log.info("%s was cancelled, or is done elsewhere", work.job)
        except Exception as error:
            log.exception("%s failed", work.job)
            try:
                work.failed(str(error) or type(error).__name__)
            except LostError:
                return

    def _again(self, name: str, seconds: float, run: Callable[[], object]) -> None:
        while not self._stopping.wait(seconds):
            close_old_connections()
            try:
                run()
            # A fault in one of them must not end the others, nor its own next round.
            except Exception as error:  # noqa: BLE001
                log.warning("%s: %s: %s", name, type(error).__name__, error)
        connection.close()
