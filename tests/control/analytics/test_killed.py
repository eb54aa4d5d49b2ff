"""A worker that dies by SIGKILL at every sort of step: nothing is lost, nothing is doubled."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import duckdb
from control.analytics.recorded import event, hour_of_yesterday, micros, refused, segment

_PROGRAM = Path(__file__).with_name("killed.py")


def test_a_worker_that_is_killed_at_every_sort_of_step_loses_and_doubles_nothing(tmp_path: Path) -> None:
    recordings, state = tmp_path / "recordings", tmp_path / "state"
    for number in range(3):
        at = micros(hour_of_yesterday()) + number * 1_000_000
        segment(recordings, [event(at), refused(at + 1)], number + 1)
    told = {
        **os.environ,
        "LOCKGATE_CONTROL_STATE": str(state),
        "LOCKGATE_CONTROL_RECORDING": str(recordings),
        "DJANGO_SETTINGS_MODULE": "lockgate.control.settings",
    }
    told.pop("LOCKGATE_DATABASE", None)
    migrate = [sys.executable, "-m", "django", "migrate", "--verbosity=0"]
    subprocess.run(migrate, env=told, check=True)
    # Taking a segment has 17 steps or so, and merging as many: each run dies at another one.
    ends = [_run(told, steps) for steps in (1, 3, 8, 14, 16, 17, 18, 28, 9, 13, 24, 4, 11, 15)]
    assert set(ends) == {-signal.SIGKILL}
    assert _run(told, 1_000_000) == 0
    assert _run(told, 1_000_000) == 0
    with sqlite3.connect(state / "control.sqlite3") as database:
        parts = database.execute(
            "SELECT day, name, events FROM analytics_part WHERE state = 'live'"
        ).fetchall()
        taken = database.execute("SELECT count(*), sum(events) FROM analytics_taken").fetchone()
    assert taken == (3, 6)
    files = [str(state / "analytics" / "events" / f"day={day}" / f"{name}.parquet") for day, name, _ in parts]
    ids = duckdb.sql(f"SELECT id FROM read_parquet({files})").fetchall()
    assert len(ids) == len(set(ids)) == 6


def _run(told: dict[str, str], steps: int) -> int:
    return subprocess.run([sys.executable, str(_PROGRAM), str(steps)], env=told, check=False).returncode
