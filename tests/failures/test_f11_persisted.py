"""F11: what the disk keeps is damaged, or half of it is missing."""

from __future__ import annotations

import resource
import signal
from typing import TYPE_CHECKING

import lockgate
import pytest
from load import Load, Running
from lockgate.state import State
from sites import KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from failures.report import FailureReport, Recovery
    from sites import Site


def test_killed_at_any_moment_of_a_change_the_next_start_serves(
    site: Site, failure_report: FailureReport, recovery: Recovery
) -> None:
    marks = {("first",)}
    for number in range(6):
        with Running(site.document, "--state", site.state, "--bake", "0") as node:
            with Load(site.url, KEY, watched=("x-one",)) as load:
                load.more(5)
            assert load.bad == 0
            assert load.seen <= marks
            site.write(f"mark-{number}")
            marks.add((f"mark-{number}",))
            node.process.send_signal(signal.SIGHUP)
            with Load(site.url, KEY) as load:
                load.more(number)  # each time at another moment of the reload
            node.kill()
    # Not even the document helps.
    site.document.write_text("damaged")
    with recovery(), Running(site.document, "--state", site.state) as node:
        node.wait_for(r"generation \d+ serves")
        with Load(site.url, KEY, watched=("x-one",)) as load:
            load.more()
    assert load.seen <= marks
    assert load.bad == 0
    failure_report(stage="node", bad=load.bad)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip, cut, empty, lambda path: path.unlink()])
@pytest.mark.parametrize("what", ["generation-*2", "journal.a", "journal.b", "journal.*"])
def test_damage_costs_one_generation_at_most_and_is_said(
    site: Site, damage: Callable[[Path], None], what: str, failure_report: FailureReport
) -> None:
    for mark in ("first", "second"):
        site.write(mark)
        lockgate.Gateway(site.document, state=site.state).stop()
    for path in (site.state / "generations").glob(what):
        damage(path)
    site.document.write_text("damaged, too")
    with lockgate.Gateway(site.document, state=site.state) as gateway:
        said = "; ".join(gateway.notices())
        with Load(site.url, KEY, watched=("x-one",)) as load:
            load.more()
        assert "serves" in said
        if what.startswith("generation"):
            assert "generation 2 is damaged on disk" in said
            assert load.seen == {("first",)}
    assert load.seen in ({("first",)}, {("second",)})
    assert load.bad == 0
    failure_report(stage="node", bad=load.bad)


def test_a_full_disk_refuses_the_change_and_takes_it_when_there_is_room(
    site: Site, failure_report: FailureReport
) -> None:
    with (
        Running(site.document, "--state", site.state) as node,
        Load(site.url, KEY, watched=("x-one",)) as load,
    ):
        load.more()
        pid = node.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (10, limits[1]))
        site.write("second")
        node.process.send_signal(signal.SIGHUP)
        node.wait_for("it cannot be kept: File too large")
        node.wait_for(r"nothing was reloaded \(generation.disk\); revision \w+ serves on as generation 1")
        load.more()
        assert load.seen == {("first",)}
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        node.process.send_signal(signal.SIGHUP)
        node.wait_for("is served as generation")
        load.more()
        assert [kept.stage for kept in State(site.state).generations().kept] == ["applied", "applied"]
    assert load.bad == 0
    failure_report(stage="node", bad=load.bad)
