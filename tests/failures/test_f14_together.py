"""F14: everybody comes back at once (Google 2025-06).

A thousand nodes start together, then lose their control plane in the same instant and find another revision
when it is back. Each is a real node's own conversation; only what it serves is left out.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from failures.agents import Crowd
from failures.scene import KEY, TELL, Load
from joined import Controlling
from load import free_port
from lockgate.control.nodes.keys import cluster_key, public_pem
from lockgate.control.nodes.load import MOST_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from control.serving import Browser
    from failures.report import FailureReport, Recovery
    from failures.scene import Scene

SIZE = 1_000
SECONDS = 300.0
"""How long a step may take before the test fails; it says nothing of how long it takes."""
ENROL = """INSERT INTO nodes_node (name, key_id, public_key, enrolled_at, is_first, enrolled_by, address,
version, started, revision, stage, directory, counts, refused, recorded)
VALUES (?, ?, ?, ?, 0, 'a test', '', '', 0.0, '', '', 0, '{}', '[]', '{}')"""


@pytest.fixture
def control(scene: Scene, tmp_path: Path) -> Iterator[Controlling]:
    scene.document.write_text(scene.text())
    # It comes back where it was.
    bind = f"127.0.0.1:{free_port()}"
    with Controlling(scene.document, tmp_path / "state", "--bind", bind, pace="50/1/1") as control:
        yield control


def enrol(control: Controlling, crowd: Crowd) -> None:
    """As a thousand tokens would, in one step: how nodes enrol is tried elsewhere."""
    with sqlite3.connect(control.state / "control.sqlite3", timeout=30.0) as database:
        database.executemany(ENROL, crowd.rows())


async def up_to_date(crowd: Crowd, revision: Callable[[], int]) -> None:
    deadline = time.monotonic() + SECONDS
    behind = crowd.size
    while behind:
        assert time.monotonic() < deadline, f"{behind} are behind: {crowd.statuses}"
        await asyncio.sleep(0.25)
        wanted = revision()
        behind = crowd.size - sum(node.revision == wanted for node in crowd.nodes)


def newest(control: Controlling) -> int:
    ((number,),) = control.rows("SELECT max(number) FROM nodes_publication WHERE kind = 'revision'")
    return int(str(number or 0))


async def herd(
    control: Controlling, crowd: Crowd, scene: Scene, browser: Browser, recovery: Recovery
) -> dict[str, int]:
    """Start all, kill what answers them, publish meanwhile; gives what the control plane counted since."""
    done = asyncio.Event()
    talking = asyncio.create_task(crowd.talk(done))
    await up_to_date(crowd, lambda: newest(control))
    before = newest(control)
    # All of them wait for news now, and lose their connections in one instant.
    os.kill(control.children()["lockgate.control"], signal.SIGKILL)
    scene.document.write_text(scene.text(policies=f"{KEY}, {TELL}"))
    with recovery():
        await up_to_date(crowd, lambda: max(newest(control), before + 1))
    found = await asyncio.to_thread(browser.get, "/api/v1/nodes")
    assert found.status_code == 200, found.text
    done.set()
    await talking
    load: dict[str, int] = found.json()["load"]
    return load


def test_a_thousand_nodes_come_back_together_and_are_served_a_few_at_a_time(
    control: Controlling, scene: Scene, failure_report: FailureReport, recovery: Recovery
) -> None:
    browser = control.first_account()
    control.until(
        "SELECT state FROM nodes_publication WHERE kind = 'revision'", lambda found: found == [("done",)]
    )
    crowd = Crowd(control.console, public_pem(cluster_key(control.state)), SIZE)
    enrol(control, crowd)
    with Load(f"{control.public}/orders/7") as load:
        counted = asyncio.run(herd(control, crowd, scene, browser, recovery))
        load.more(10)
    # What was worked on at once stayed bounded, and whoever came too many was told when to come back.
    assert counted["peak"] <= MOST_AT_ONCE
    assert counted["answered"] >= SIZE
    assert set(crowd.statuses) <= {0, 200, 503}, crowd.statuses
    # Nobody asks in a loop: a few requests each, whatever happened.
    assert len(crowd.asked) < 40 * SIZE
    # Callers of the first node noticed nothing, and the console answered in between.
    assert load.statuses == {200}
    assert httpx.get(f"{control.console}/account/login/").status_code == 200
    failure_report(stage="control", bad=len(load.bad))
