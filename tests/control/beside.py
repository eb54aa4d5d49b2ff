"""The suite of the control plane on PostgreSQL, on another core than the rest of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from postgresql import server

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent


class Beside:
    """Runs from when it is made; whoever wants to know waits for it."""

    def __init__(self, without: Sequence[Path]) -> None:
        self._stack = ExitStack()
        # Not below the folder of pytest, which other accounts cannot enter.
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="lockgate-postgresql-")))
        folder.chmod(0o711)
        environment = {
            **os.environ,
            "LOCKGATE_DATABASE": self._stack.enter_context(server(folder / "server")),
        }
        self._said = folder / "said"
        line = [sys.executable, "-m", "pytest", "-q", str(HERE), *(f"--ignore={path}" for path in without)]
        with self._said.open("w") as said:
            self._suite = subprocess.Popen(
                line, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT
            )

    def wait(self) -> tuple[int, str]:
        """Its exit code, and the end of what it said."""
        code = self._suite.wait()
        return code, self._said.read_text()[-8_000:]

    def close(self) -> None:
        """End it, when it still runs."""
        self._suite.kill()
        self._suite.wait()
        self._stack.close()


BESIDE = pytest.StashKey[Beside]()
"""Where it is kept while tests run."""
