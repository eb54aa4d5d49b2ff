"""Nodes of a cluster as processes of their own, and a control plane for them."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, ClassVar

from control.serving import Serving
from load import SECONDS, Running
from patience import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUICK = ("--bake", "0.2", "--bake-requests", "0")


class Controlling(Serving):
    """A control plane whose nodes follow each other quickly."""

    def __init__(self, document: Path, state: Path, *options: str, pace: str = "25/1/1") -> None:
        super().__init__(document, "--state", str(state), *QUICK, "--pace", pace, *options)
        self.state = state

    def token(self, name: str) -> str:
        """A token for a node."""
        command = [sys.executable, "-m", "lockgate", "control", "token", name, "--state", str(self.state)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    def join(self, name: str, folder: Path) -> Joined:
        """Start a new node."""
        return Joined(folder, "--control", self.console, token=self.token(name))

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """What the database says."""
        with sqlite3.connect(self.state / "control.sqlite3") as database:
            return database.execute(query).fetchall()

    def until(self, query: str, is_enough: Callable[[list[tuple[object, ...]]], bool]) -> None:
        """Wait until the database says something."""
        until(lambda: self.rows(query), is_enough, seconds=SECONDS)


class Joined(Running):
    """`lockgate node` as the process that people start."""

    COMMAND: ClassVar[tuple[str, ...]] = ("node",)

    def __init__(self, state: Path, *options: str, token: str = "") -> None:
        self.state = state
        command = [sys.executable, "-m", "lockgate", *self.COMMAND, f"--state={state}", *QUICK, *options]
        self._begin(command, {**os.environ, "LOCKGATE_NODE_TOKEN": token})
