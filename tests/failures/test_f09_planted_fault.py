"""F9: a latent fault that a valid document wakes (Fastly 2021)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import lockgate
import pytest
from load import Load
from sites import KEY

if TYPE_CHECKING:
    from failures.report import FailureReport, Recovery
    from sites import Site

PLANTED = [sys.executable, str(Path(__file__).with_name("planted.py"))]


@pytest.mark.parametrize(
    ("fault", "end"),
    [
        ("panic", "it broke off, or found no more memory (signal 6)"),
        ("loop", "it used up its processor time (signal 24)"),
        ("memory", "it gave up with exit code 1"),
        ("wait", "it took longer than 2 s"),
    ],
)
def test_the_taster_dies_of_it_and_the_node_lives(
    site: Site, fault: str, end: str, failure_report: FailureReport, recovery: Recovery
) -> None:
    seconds = 2 if fault == "wait" else 60
    with (
        lockgate.Gateway(site.document, state=site.state, taster=PLANTED, taster_seconds=seconds) as gateway,
        Load(site.url, KEY, watched=("x-one",)) as load,
    ):
        site.write(f"planted-{fault}")
        with recovery():
            applied = gateway.reload()
        assert (applied.applied, applied.reason) == (False, "taster.died")
        assert applied.problems[0].message == f"the taster did not survive it: {end}"
        load.more()
    assert load.seen == {("first",)}
    assert load.bad == 0
    failure_report(stage="taster", bad=load.bad)


def test_a_start_with_such_a_document_serves_what_served_before(
    site: Site, failure_report: FailureReport
) -> None:
    lockgate.Gateway(site.document, state=site.state).stop()
    site.write("planted-panic")
    with lockgate.Gateway(site.document, state=site.state, taster=PLANTED) as gateway:
        assert "generation 1 serves: the taster did not survive it" in gateway.notices()[0]
        with Load(site.url, KEY, watched=("x-one",)) as load:
            load.more()
    assert load.seen == {("first",)}
    failure_report(stage="taster", bad=load.bad)
