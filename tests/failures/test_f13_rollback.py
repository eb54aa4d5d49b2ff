"""F13: the way back must not need what is broken (Facebook 2021, Azure AD 2020)."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import httpx
from load import Load, Running
from sites import KEY

if TYPE_CHECKING:
    from conftest import Run
    from failures.report import FailureReport, Recovery
    from sites import Site


def test_one_local_command_goes_back_while_every_answer_is_an_error(
    site: Site, run: Run, failure_report: FailureReport, recovery: Recovery
) -> None:
    with Running(site.document, "--state", site.state) as node:
        with Load(site.url, KEY) as load:
            load.more()
        # Every call fails, nobody answers behind the gateway, and the document is gone.
        site.write("second", service="http://127.0.0.1:1")
        node.process.send_signal(signal.SIGHUP)
        node.wait_for("is served as generation 2")
        site.document.unlink()
        with Load(site.url, KEY) as broken:
            broken.more()
            assert 200 not in broken.answers
            with recovery():
                result = run("rollback", "--state", site.state, "--why", "every call fails")
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith("generation 1 is served: revision ")
        with Load(site.url, KEY, watched=("x-one",)) as load:
            load.more()
        assert (load.seen, load.bad) == ({("first",)}, 0)
        listed = run("generations", "--state", site.state).stdout.splitlines()
        assert [line.split()[0] for line in listed[1:]] == ["2", "1"]
        assert "taken back" in listed[1]
        assert "every call fails" in listed[1]
        assert "served" in listed[2]
    # One command is what a person may be asked for; everything after it is the node's affair.
    failure_report(stage="node", bad=0, human=1)


def test_what_was_taken_back_does_not_come_again_by_a_reload_or_a_start(
    site: Site, run: Run, failure_report: FailureReport
) -> None:
    options = ("--state", site.state)
    with Running(site.document, *options) as node:
        site.write("second")
        node.process.send_signal(signal.SIGHUP)
        node.wait_for("is served as generation 2")
        assert run("rollback", "--state", site.state, "--to", "previous").returncode == 0
        node.process.send_signal(signal.SIGHUP)
        node.wait_for(r"was taken back: a person went back")
        node.wait_for(
            r"nothing was reloaded \(generation.taken_back\); revision \w+ serves on as generation 1"
        )
    with Running(site.document, *options) as node:
        node.wait_for("generation 1 serves")
        with Load(site.url, KEY, watched=("x-one",)) as load:
            load.more()
        assert load.seen == {("first",)}
        # Unless a person asks for it by name.
        result = run("reload", "--admin", f"127.0.0.1:{site.admin}", "--again")
        assert "is served as generation 3" in result.stdout
        assert httpx.get(site.url, headers=KEY).headers["x-one"] == "second"
    failure_report(stage="node", bad=load.bad)


def test_a_node_that_does_not_run_goes_back_for_its_next_start(
    site: Site, run: Run, failure_report: FailureReport
) -> None:
    for mark in ("first", "second"):
        site.write(mark)
        with Running(site.document, "--state", site.state) as node:
            assert node.stop() == 0
    result = run("rollback", "--state", site.state, "--to", "1")
    assert result.stdout.startswith("generation 1 is served from the next start on: revision ")
    with Running(site.document, "--state", site.state), Load(site.url, KEY, watched=("x-one",)) as load:
        load.more()
    assert load.seen == {("first",)}
    failure_report(stage="node", bad=load.bad)


def test_the_command_says_what_it_cannot_do(site: Site, run: Run) -> None:
    nothing = run("rollback", "--state", site.state)
    assert nothing.returncode == 2
    assert "is no state folder; name the one that `lockgate run --state` was given" in nothing.stderr
    unnamed = run("rollback")
    assert unnamed.returncode == 2
    assert "say which node: `--state FOLDER`" in unnamed.stderr
    with Running(site.document, "--state", site.state):
        first = run("rollback", "--state", site.state)
        assert first.returncode == 1
        assert "no other was proven, and none was served before" in first.stderr
        word = run("rollback", "--state", site.state, "--to", "yesterday")
        assert word.returncode == 1
        assert "`yesterday` names no generation; write `last-good`, `previous` or a number" in word.stderr
        number = run("rollback", "--state", site.state, "--to", "7")
        assert "generation 7 is not kept; these are: 1" in number.stderr
