"""F8 in a cluster: what changes the first node reaches one other, and no third before that one is well."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from failures.scene import Load
from joined import Controlling
from lockgate.admin import AdminClient
from lockgate.state import State
from services import Service, answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from failures.report import FailureReport, Recovery
    from failures.scene import Scene

SECONDS = 120.0
LAST = "SELECT state, why FROM nodes_publication WHERE kind = 'revision' ORDER BY number DESC LIMIT 1"


def changed(scene: Scene, control: Controlling, bad: str) -> None:
    scene.document.write_text(scene.text(service=bad))
    control.wait_for("node: revision .* is served as generation 2")


def forced(scene: Scene, control: Controlling, bad: str) -> None:
    """Break-glass: no evidence, no approval, nothing waited for."""
    scene.document.write_text(scene.text(service=bad))
    AdminClient(control.admin).reload(force=True)


WAYS: dict[str, Callable[[Scene, Controlling, str], None]] = {
    "the file is changed": changed,
    "lockgate reload --force": forced,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_bad_change_reaches_the_first_node_and_one_other_and_goes_back_from_there_by_itself(
    scene: Scene, tmp_path: Path, way: str, failure_report: FailureReport, recovery: Recovery
) -> None:
    scene.document.write_text(scene.text())
    with (
        Service(lambda _: answer("broken", "500 Internal Server Error")) as broken,
        Controlling(scene.document, tmp_path / "state", pace="50/600/1") as control,
        control.join("paris-1", tmp_path / "n1") as one,
        control.join("paris-2", tmp_path / "n2") as two,
        Load(f"{one.url}/orders/7") as of_one,
        Load(f"{two.url}/orders/7") as of_two,
    ):
        of_one.more(30)
        WAYS[way](scene, control, broken.url)
        one.wait_for("generation 2 of the control plane is served")
        with recovery():
            one.wait_for("went back to generation 1: the control plane withdrew")
        control.until(LAST, lambda found: [state for state, _ in found] == ["withdrawn"])
        deadline = time.monotonic() + SECONDS
        while {call.status for call in of_one.more(10)} != {200}:
            assert time.monotonic() < deadline
        of_two.more(10)
        # Going back on the first node is a change as any other, and does not wait for anybody there.
        assert State(control.state / "node").roll_back("previous").generation == 1
    assert of_two.statuses == {200}
    assert not [line for line in two.said if "generation 2" in line]
    failure_report(stage="nodes", bad=len(of_one.bad))
