"""The stub of the compiled module says what is in it."""

from __future__ import annotations

import subprocess
import sys


def test_the_stub_and_the_compiled_module_agree() -> None:
    line = [sys.executable, "-m", "mypy.stubtest", "lockgate._engine"]
    result = subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
