"""F10: a revision that passes every test and fails later (Azure 2025-10-29, Slack 2020)."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import lockgate
from load import Load, Running
from lockgate.state import State
from sites import KEY

if TYPE_CHECKING:
    from failures.report import FailureReport, Recovery
    from sites import Site


def test_a_generation_is_the_last_good_one_only_after_its_trial(
    site: Site, failure_report: FailureReport
) -> None:
    with (
        lockgate.Gateway(site.document, state=site.state, bake_seconds=0.3, bake_requests=5) as gateway,
        Load(site.url, KEY) as load,
    ):
        state = State(site.state)
        assert state.generations().last_good is None
        while not (notices := gateway.notices()):
            load.more(5)
        assert notices == ["generation 1 is proven: it is the last good one from now on"]
        assert state.generations().last_good == 1
        site.write("second")
        assert gateway.reload().generation == 2
        assert state.generations().last_good == 1
    assert load.bad == 0
    failure_report(stage="node", bad=load.bad)


def test_an_idle_gateway_proves_nothing(site: Site) -> None:
    with lockgate.Gateway(site.document, state=site.state, bake_seconds=0, bake_requests=1) as gateway:
        with Load(site.url, KEY) as load:
            while not gateway.notices():
                load.more(1)
        site.write("second")
        gateway.reload()
        site.write("third")
        gateway.reload()
        found = State(site.state).generations()
        assert (found.current, found.last_good, found.before) == (3, 1, 2)


def test_a_revision_that_brings_the_node_down_again_and_again_is_left_by_itself(
    site: Site, failure_report: FailureReport, recovery: Recovery
) -> None:
    options = ("--state", site.state, "--bake", "0.2")
    with Running(site.document, *options) as node, Load(site.url, KEY) as load:
        load.more()
        node.wait_for("generation 1 is proven")
        site.write("second")
        # On trial for longer than the node lives.
        assert node.stop() == 0
    options = ("--state", site.state, "--bake", "3600")
    with recovery():
        for _ in range(2):
            with Running(site.document, *options) as node, Load(site.url, KEY, watched=("x-one",)) as load:
                load.more(1)
                assert load.seen == {("second",)}
                node.process.send_signal(signal.SIGKILL)
                node.process.wait()
        with Running(site.document, *options) as node:
            node.wait_for("went back from generation 2 to 1: the node started 3 times")
            node.wait_for(r"generation 1 serves: .* was taken back")
            with Load(site.url, KEY, watched=("x-one",)) as load:
                load.more()
            assert load.seen == {("first",)}
            assert load.bad == 0
    failure_report(stage="node", bad=0)
