"""The Friday afternoon holds what it tells."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_good_change_goes_live_and_bad_ones_are_stopped_by_replay_shadow_and_canary(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "examples.shop.friday", "--short", "--folder", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    good, stopped, forced, unseen = re.split(r"\n(?=A bad|The same|What no)", done.stdout)
    assert "as expected (exit code 0)" in good, good
    assert re.search(r"last good: \d+ calls were refused, as it was said", good)
    assert re.search(r"stops it with exit code 1: it would lock out warehouse \([1-9][\d,]* calls\)", stopped)
    assert re.search(r"taken back by itself after [\d.]+ s: .*; 0 callers were refused", forced)
    assert "no change in" in unseen
    found = re.search(r"taken back by itself after [\d.]+ s: .*; ([\d,]+) of ([\d,]+) answers failed", unseen)
    assert found is not None
    failed, answers = (int(number.replace(",", "")) for number in found.groups())
    # A fifth of the callers at most, and none before the canary.
    assert 0 < failed < 0.4 * answers
    assert "without an answer" not in done.stdout
    assert "nobody was called; the shop serves" in unseen
    for name in ("plan.json", "expected.json"):
        assert (folder / name).exists(), "each command that is shown can be typed"
    # What is served at the end is the good change, and the bad ones are files that nobody serves.
    assert "id: paid" in (folder / "gateway.yaml").read_text()


def test_wrong_options_are_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "examples.shop.friday", "--folder", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert f"`{tmp_path}` is there already; name a folder that is not" in done.stderr
