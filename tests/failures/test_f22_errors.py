"""F22: errors that make more work than answers do: logs, records and retries of a total outage."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from failures.scene import PATIENCE, Load
from load import Running
from services import answer

if TYPE_CHECKING:
    from pathlib import Path

    from failures.report import FailureReport
    from failures.scene import Scene

CALLS = 150
OUTAGES = {
    "the service answers with errors": answer("x" * 10_000, "500 Internal Server Error"),
    "the service is overloaded": answer("busy", "503 Service Unavailable"),
    "the service breaks off": None,
}


def kept(folder: Path) -> int:
    """The bytes in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def lines_of(log: Path, count: int) -> list[str]:
    """The lines of a log, once another thread has written so many of them."""
    end = time.monotonic() + PATIENCE
    while len(lines := log.read_text().splitlines() if log.exists() else []) < count:
        assert time.monotonic() < end, f"{len(lines)} of {count} lines"
    return lines


def logged(scene: Scene, *, retries: str = "") -> str:
    text = scene.text(
        more="recording: { directory: recording, keep: 1MiB }\naccess_log: { to: access.log }\n"
    )
    return text.replace(f'["{scene.service.url}"]', f'["{scene.service.url}"]{retries}')


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_error_costs_no_more_lines_than_an_answer(
    scene: Scene, outage: str, failure_report: FailureReport
) -> None:
    """Nothing is said of a request on the standard error, and its line in the log is as long as any."""
    scene.document.write_text(logged(scene))
    log, recording = scene.document.with_name("access.log"), scene.document.with_name("recording")
    with Running(scene.document) as node:
        scene.service.reply = lambda _: answer("ok")
        with Load(f"{node.url}/orders/7") as load:
            load.more(CALLS)
        good = lines_of(log, len(load.answers))
        scene.service.reply = lambda _: OUTAGES[outage]
        with Load(f"{node.url}/orders/7") as failing:
            failing.more(CALLS)
        bad = lines_of(log, len(good) + len(failing.answers))[len(good) :]
        node.stop()
    assert failing.statuses <= {500, 502, 503}
    assert len(bad) == len(failing.answers), "one line for each call"
    assert sum(map(len, bad)) / len(bad) < 2 * sum(map(len, good)) / len(good)
    assert kept(recording) <= 2 * 1024 * 1024
    assert [line for line in node.rest() if "listens on" not in line] == []
    failure_report(stage="node", bad=0)


def test_a_total_outage_is_not_multiplied_by_retries(scene: Scene, failure_report: FailureReport) -> None:
    """A fifth more than the calls, whatever `attempts` says, and the few of the start."""
    retries = ", retries: { attempts: 5, on: [status_503] }"
    scene.service.reply = lambda _: answer("down", "503 Service Unavailable")
    with (
        scene.serve(logged(scene, retries=retries)) as gateway,
        Load(f"{gateway.urls['public']}/orders/7") as load,
    ):
        load.more(CALLS)
    asked, calls = len(scene.service.requests), len(load.answers)
    assert calls <= asked <= 1.3 * calls + 20
    failure_report(stage="node", bad=0)


def test_a_log_that_cannot_be_written_costs_lines_and_no_request(
    scene: Scene, failure_report: FailureReport
) -> None:
    scene.document.write_text(logged(scene).replace("access.log", "/dev/full"))
    with scene.serve(scene.document.read_text()) as gateway, Load(gateway.urls["public"]) as load:
        load.more(100)
    assert load.bad == []
    failure_report(stage="node", bad=len(load.bad))
