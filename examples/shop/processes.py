"""The sample services as processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
PATIENCE = 10.0
"""Seconds that a service has to end."""


def end(process: subprocess.Popen[str], seconds: float) -> None:
    """End a child by the end of its standard input, and kill it when it has not ended by then."""
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class ServiceError(Exception):
    """A sample service did not start."""


class Process:
    """A sample service that listens on a port of its own, and on the same one when it is started again.

    Args:
        module: The module of this package.
        arguments: Its arguments.
        told: The first line on its standard input.

    Raises:
        ServiceError: It did not start.
    """

    def __init__(self, module: str, *arguments: str, told: str = "") -> None:
        self.module, self._arguments, self._told = module, arguments, told
        self.url = ""
        self.start()

    def start(self) -> None:
        """Start it.

        Raises:
            ServiceError: It did not start.
        """
        port = urlsplit(self.url).port or 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"examples.shop.{self.module}", "--port", str(port), *self._arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,  # Ctrl-C is for the demo, which ends its services in order
        )
        said = ""
        if self._process.stdin and self._process.stdout:
            if self._told:
                self._process.stdin.write(f"{self._told}\n")
                self._process.stdin.flush()
            said = self._process.stdout.readline().strip()
        if not said:
            self.stop()
            message = f"the sample service `{self.module}` did not start; what it says stands above"
            raise ServiceError(message)
        self.url = said

    def stop(self) -> None:
        """End it. The end of its standard input is the sign."""
        # Nobody reads on, so nothing that it still says can keep it.
        if self._process.stdout:
            self._process.stdout.close()
        end(self._process, PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
