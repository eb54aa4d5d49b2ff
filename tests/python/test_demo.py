"""The demo runs and shows what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DEMO = Path(__file__).parents[2] / "examples" / "first-policy" / "demo.py"


def test_the_demo_shows_a_success_and_every_refusal() -> None:
    arguments = [sys.executable, str(DEMO), "--seconds", "0.1", "--port", "0"]
    result = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    *_, last = result.stdout.splitlines()
    assert sorted(re.findall(r"(\d{3}(?: [\w.]+)?): \d+", last)) == [
        "200",
        "400 json_limits.refused",
        "400 request.bad_path",
        "401 api_key.invalid",
        "401 api_key.missing",
        "404 route.not_found",
    ]
