"""Asking for jobs, and taking them: each is run by one worker, and by another one when that dies."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from lockgate.control.worker.models import Job

if TYPE_CHECKING:
    from django.db.models import QuerySet

LEASE: Final = timedelta(seconds=20)
"""A worker that says nothing for so long is taken for dead, and its jobs are free again."""
MOST_ATTEMPTS: Final = 3
"""A job whose worker died so often is what kills it."""
KEPT: Final = timedelta(days=30)
"""How long ended jobs are kept."""


class LostError(Exception):
    """The job is another worker's now, or somebody cancelled it: whatever is done for it is done in vain."""


def ask(kind: str, given: dict[str, Any], *, by: str, subject: str = "") -> Job:
    """Ask for a job; when one of this kind about this subject is open, that one is given.

    Args:
        kind: What is to be done: a name in `tasks.KINDS`.
        given: Its input, as JSON has it.
        by: Who asks.
        subject: What it is about.
    """
    opened = Job.objects.filter(kind=kind, subject=subject, state__in=_OPEN).exclude(subject="")
    if (found := opened.first()) is not None:
        return found
    try:
        with transaction.atomic():
            return Job.objects.create(kind=kind, subject=subject, input=given, asked_by=by)
    except IntegrityError:
        # Somebody asked for the same in between.
        return opened.get()


def latest(kind: str, subject: str) -> Job | None:
    """The newest job about something."""
    return Job.objects.filter(kind=kind, subject=subject).order_by("-id").first()


def cancel(pk: int) -> bool:
    """Cancel a job; whoever runs it hears it with the next thing that it tells. Whether it was open."""
    ended = {"state": Job.State.CANCELLED, "ended_at": timezone.now(), "now": ""}
    return bool(Job.objects.filter(pk=pk, state__in=_OPEN).update(**ended))


def take(worker: str) -> Job | None:
    """Take the oldest job that nobody runs; nothing when there is none.

    A row is taken by one statement that only one worker's can be true for, so no lock outlives it.
    """
    now = timezone.now()
    free = Q(state=Job.State.WAITING) | Q(state=Job.State.RUNNING, beat_at__lt=now - LEASE)
    for pk, attempts in Job.objects.filter(free).order_by("id").values_list("pk", "attempts")[:20]:
        mine = Job.objects.filter(free, pk=pk, attempts=attempts)
        if attempts >= MOST_ATTEMPTS:
            error = f"{MOST_ATTEMPTS} workers died while they did it; see what the process printed"
            mine.update(state=Job.State.FAILED, error=error, ended_at=now, now="")
        elif mine.update(
            state=Job.State.RUNNING,
            worker=worker,
            beat_at=now,
            started_at=now,
            attempts=F("attempts") + 1,
            progress=0.0,
            now="",
        ):
            return Job.objects.get(pk=pk)
    return None


def beat(worker: str) -> None:
    """Say that a worker lives."""
    Job.objects.filter(worker=worker, state=Job.State.RUNNING).update(beat_at=timezone.now())


def release(worker: str) -> None:
    """Give back what a worker that ends has not finished; it counts as no attempt."""
    _mine(worker).update(state=Job.State.WAITING, worker="", now="", attempts=F("attempts") - 1)


class Work:
    """A job in the hands of the worker that runs it.

    Args:
        job: The job.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.input: dict[str, Any] = job.input

    def tell(self, progress: float, now: str) -> None:
        """Say how far it is.

        Raises:
            LostError: It is not ours any more, or was cancelled.
        """
        self._write(progress=min(1.0, max(0.0, progress)), now=now[:300], beat_at=timezone.now())

    def done(self, result: Any) -> None:  # noqa: ANN401 - whatever JSON holds
        """Say that it is done.

        Raises:
            LostError: It is not ours any more, or was cancelled.
        """
        self._write(state=Job.State.DONE, result=result, progress=1.0, now="", ended_at=timezone.now())

    def failed(self, error: str) -> None:
        """Say why it failed.

        Raises:
            LostError: It is not ours any more, or was cancelled.
        """
        self._write(state=Job.State.FAILED, error=error[:4_000], now="", ended_at=timezone.now())

    def _write(self, **fields: Any) -> None:  # noqa: ANN401
        if not _mine(self.job.worker).filter(pk=self.job.pk).update(**fields):
            raise LostError(str(self.job))


def forget_old() -> None:
    """Delete what ended long ago."""
    ended = Job.objects.exclude(state__in=_OPEN)
    ended.filter(ended_at__lt=timezone.now() - KEPT).delete()


_OPEN = (Job.State.WAITING, Job.State.RUNNING)


def _mine(worker: str) -> QuerySet[Job]:
    return Job.objects.filter(worker=worker, state=Job.State.RUNNING)
