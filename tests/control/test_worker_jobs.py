"""Jobs and tasks: each is done once, by one worker, and by another one when that dies."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone
from lockgate.control.worker import jobs
from lockgate.control.worker.jobs import LEASE, MOST_ATTEMPTS, LostError, Work
from lockgate.control.worker.models import Job
from lockgate.control.worker.running import Worker
from lockgate.control.worker.tasks import KINDS, TASKS, Kind, Task

if TYPE_CHECKING:
    from typing import Any


def ask(subject: str = "") -> Job:
    return jobs.ask("count", {"to": 3}, by="ada@example.com", subject=subject)


def count(work: Work) -> dict[str, Any]:
    for number in range(work.input["to"]):
        work.tell(number / work.input["to"], f"at {number}")
    return {"counted": work.input["to"]}


def died(job: Job) -> None:
    """As if its worker had said nothing for too long."""
    Job.objects.filter(pk=job.pk).update(beat_at=timezone.now() - 2 * LEASE)


def test_a_job_is_done_and_its_result_is_kept() -> None:
    job = ask()
    Worker((), (Kind("count", count),)).run_waiting()
    job.refresh_from_db()
    assert (job.state, job.progress, job.result) == ("done", 1.0, {"counted": 3})
    assert job.ended_at is not None


def test_a_job_that_is_taken_is_taken_once() -> None:
    ask()
    first = jobs.take("one")
    assert first is not None
    assert jobs.take("two") is None


def test_jobs_are_taken_in_the_order_in_which_they_were_asked_for() -> None:
    asked = [ask().pk for _ in range(3)]
    taken = [jobs.take("one") for _ in range(3)]
    assert [job.pk for job in taken if job] == asked


def test_a_job_of_a_worker_that_died_is_done_by_another_and_the_dead_one_writes_nothing_more() -> None:
    ask()
    first = jobs.take("one")
    assert first is not None
    died(first)
    second = jobs.take("two")
    assert second is not None
    assert (second.pk, second.attempts) == (first.pk, 2)
    with pytest.raises(LostError):
        Work(first).tell(0.5, "back from the dead")
    Work(second).done({})
    second.refresh_from_db()
    assert second.state == "done"


def test_a_worker_that_lives_keeps_its_job() -> None:
    ask()
    job = jobs.take("one")
    assert job is not None
    died(job)
    jobs.beat("one")
    assert jobs.take("two") is None


def test_a_job_that_kills_workers_fails_in_the_end_and_says_so() -> None:
    job = ask()
    for _ in range(MOST_ATTEMPTS):
        assert jobs.take("one") is not None
        died(job)
    assert jobs.take("one") is None
    job.refresh_from_db()
    assert (job.state, "workers died" in job.error) == ("failed", True)


def test_a_worker_that_stops_gives_its_jobs_back_without_an_attempt() -> None:
    job = ask()
    worker = Worker((), ())
    assert jobs.take(worker.name) is not None
    worker.stop()
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("waiting", 0)


def test_a_job_that_raises_has_failed_with_its_sentence_and_the_next_one_is_done() -> None:
    def broken(_work: Work) -> None:
        message = "the disk is full"
        raise OSError(message)

    bad = jobs.ask("broken", {}, by="ada@example.com")
    good = ask()
    Worker((), (Kind("broken", broken), Kind("count", count))).run_waiting()
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.state, bad.error, good.state) == ("failed", "the disk is full", "done")


def test_a_job_that_no_worker_knows_fails_and_says_what_may_be_the_reason() -> None:
    job = ask()
    Worker((), ()).run_waiting()
    job.refresh_from_db()
    assert (job.state, "knows no job `count`" in job.error) == ("failed", True)


def test_a_cancelled_job_stays_cancelled_whatever_its_worker_does() -> None:
    def cancelled(work: Work) -> None:
        assert jobs.cancel(work.job.pk)
        work.tell(0.9, "nearly")

    job = jobs.ask("cancelled", {}, by="ada@example.com")
    Worker((), (Kind("cancelled", cancelled),)).run_waiting()
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert not jobs.cancel(job.pk)


def test_two_who_ask_for_the_same_get_one_job_until_it_has_ended() -> None:
    first = ask("change tighten")
    assert ask("change tighten") == first
    Worker((), (Kind("count", count),)).run_waiting()
    assert ask("change tighten") != first
    assert jobs.latest("count", "change tighten") != first


def test_what_ended_long_ago_is_forgotten_and_what_is_open_is_not() -> None:
    old, waiting = ask(), ask()
    Job.objects.filter(pk=old.pk).update(state="done", ended_at=timezone.now() - 2 * jobs.KEPT)
    Job.objects.filter(pk=waiting.pk).update(asked_at=timezone.now() - 2 * jobs.KEPT)
    jobs.forget_old()
    assert [job.pk for job in Job.objects.all()] == [waiting.pk]


def test_a_task_that_fails_is_done_again_and_ends_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    # Other threads do not see the database of a test.
    monkeypatch.setattr(jobs, "take", lambda _: None)
    monkeypatch.setattr(jobs, "beat", lambda _: None)
    failed, others = threading.Semaphore(0), threading.Semaphore(0)

    def fails() -> None:
        failed.release()
        message = "the network is down"
        raise OSError(message)

    worker = Worker((Task("fails", 0.01, fails), Task("works", 0.01, others.release)), ())
    worker.start()
    assert all(failed.acquire(timeout=10) for _ in range(2))
    assert all(others.acquire(timeout=10) for _ in range(2))
    worker.stop()


def test_tasks_and_kinds_have_names_of_their_own_and_run_on_an_empty_database() -> None:
    assert len({task.name for task in TASKS}) == len(TASKS)
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    for task in TASKS:
        task.run()
