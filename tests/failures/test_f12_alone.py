"""F12: a restart with nothing else alive, the newest revision bad (Kong #14373, Envoy Gateway #9198)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lockgate
import pytest
from load import Load, Running
from sites import KEY

if TYPE_CHECKING:
    from failures.report import FailureReport, Recovery
    from sites import Site

BAD = {
    "gone": None,
    "empty": "",
    "not yaml": "{",
    "no listener": "lockgate: 1\n",
    "a policy that is unknown": "lockgate: 1\npolicies: [{ id: a, kind: rate_limt }]\n",
    "half a bundle": '{"lockgate_bundle":1,',
}


@pytest.mark.parametrize("bad", BAD)
def test_a_restart_with_a_bad_newest_revision_serves_the_last_good_one(
    site: Site, bad: str, failure_report: FailureReport, recovery: Recovery
) -> None:
    lockgate.Gateway(site.document, state=site.state).stop()
    text = BAD[bad]
    if text is None:
        site.document.unlink()
    else:
        site.document.write_text(text)
    with recovery(), lockgate.Gateway(site.document, state=site.state) as gateway:
        assert "generation 1 serves: " in gateway.notices()[0]
        # The bad one does not become good by being asked for again.
        assert not gateway.reload().applied
        with Load(site.url, KEY, watched=("x-one",)) as load:
            load.more()
    assert load.seen == {("first",)}
    assert load.bad == 0
    failure_report(stage="node", bad=load.bad)


def test_a_new_node_with_a_bad_revision_says_so_and_serves_nothing_weaker(site: Site) -> None:
    site.document.write_text("lockgate: 1\n")
    with pytest.raises(lockgate.ProblemsError, match="there is no listener"):
        lockgate.Gateway(site.document, state=site.state)


def test_two_nodes_do_not_write_to_one_state_folder(site: Site) -> None:
    with (
        Running(site.document, "--state", site.state),
        pytest.raises(OSError, match="belongs to a node that runs"),
    ):
        lockgate.Gateway(site.document, state=site.state)
