"""F15: a delayed publisher, two publishers at once, a change that is half applied (AWS 2025-10)."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import lockgate
from load import SECONDS, Load
from lockgate.state import State
from sites import KEY

if TYPE_CHECKING:
    from failures.report import FailureReport, Recovery
    from sites import Site

PLANTED = str(Path(__file__).with_name("planted.py"))


def test_a_delayed_older_publish_and_a_second_publisher_change_nothing(
    site: Site, failure_report: FailureReport, recovery: Recovery
) -> None:
    bundle = site.document.with_name("bundle.json")
    bundle.write_text(site.bundle(7, "seven"))
    with (
        lockgate.Gateway(bundle, state=site.state) as gateway,
        Load(site.url, KEY, watched=("x-one",)) as load,
    ):
        for generation, mark, reason in ((6, "late", "generation.older"), (7, "other", "generation.taken")):
            bundle.write_text(site.bundle(generation, mark))
            with recovery():
                assert gateway.reload().reason == reason
            load.more()
        bundle.write_text(site.bundle(8, "eight"))
        assert gateway.reload().generation == 8
        load.more()
    # Nor does a start forget what was seen.
    bundle.write_text(site.bundle(7, "late"))
    with lockgate.Gateway(bundle, state=site.state) as gateway:
        assert "(generation.older)" in gateway.notices()[0]
        with Load(site.url, KEY, watched=("x-one",)) as after:
            after.more()
    assert load.seen == {("seven",), ("eight",)}
    assert after.seen == {("eight",)}
    assert load.bad + after.bad == 0
    failure_report(stage="node", bad=load.bad)


def test_each_request_sees_one_revision_however_often_it_changes(
    site: Site, failure_report: FailureReport
) -> None:
    with (
        lockgate.Gateway(site.document, state=site.state) as gateway,
        Load(site.url, KEY, watched=("x-one", "x-two")) as load,
    ):
        for number in range(30):
            site.write(f"mark-{number}")
            assert gateway.reload().applied
        load.more()
    assert all(one == two for one, two in load.seen)
    assert len(load.seen) > 1
    assert load.bad == 0
    failure_report(stage="node", bad=load.bad)


def test_two_reloads_at_once_end_with_the_document_as_it_is(site: Site) -> None:
    with lockgate.Gateway(site.document, state=site.state) as gateway:
        site.write("last")
        threads = [threading.Thread(target=gateway.reload) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = State(site.state).generations()
        assert (found.current, found.before) == (2, 1)


def test_a_candidate_that_is_being_tried_does_not_undo_a_rollback(
    site: Site, tmp_path: Path, failure_report: FailureReport
) -> None:
    barrier = tmp_path / "barrier"
    with (
        lockgate.Gateway(
            site.document, state=site.state, taster=[sys.executable, PLANTED, str(barrier)]
        ) as gateway,
        Load(site.url, KEY, watched=("x-one",)) as load,
    ):
        site.write("second")
        assert gateway.reload().generation == 2
        site.write("planted-barrier")
        answers = []
        trying = threading.Thread(target=lambda: answers.append(gateway.reload()))
        trying.start()
        deadline = time.monotonic() + SECONDS
        while not barrier.with_suffix(".reached").exists():
            assert time.monotonic() < deadline
            load.more(1)
        assert State(site.state).roll_back().generation == 1
        barrier.touch()
        trying.join()
        assert (answers[0].applied, answers[0].reason) == (False, "generation.overtaken")
        load.more()
    assert ("planted-barrier",) not in load.seen
    assert load.bad == 0
    failure_report(stage="node", bad=load.bad)
