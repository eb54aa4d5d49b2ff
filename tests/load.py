"""Callers that do not stop while a gateway is treated badly, and gateways as processes that can be killed."""

from __future__ import annotations

import queue
import re
import socket
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

import httpx

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 30.0
"""How long anything here is waited for before the test fails."""


@dataclass
class Load:
    """Calls a URL from one thread, one call after the other, until the block ends."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    most: int = 50_000
    answers: Counter[int] = field(default_factory=Counter)
    """Answers by status."""
    failures: list[str] = field(default_factory=list)
    """Calls without an answer, as when a process is killed."""
    seen: set[tuple[str, ...]] = field(default_factory=set)
    """The values of `watched` in each answer."""
    watched: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        self._stop, self._more = threading.Event(), threading.Condition()
        self._thread = threading.Thread(target=self._call, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(SECONDS)

    def more(self, calls: int = 20) -> None:
        """Wait until so many further calls were answered."""
        with self._more:
            wanted = self.answers.total() + calls
            assert self._more.wait_for(lambda: self.answers.total() >= wanted, SECONDS), self.failures[-3:]

    @property
    def bad(self) -> int:
        """Answers that callers should not have seen."""
        return self.answers.total() - self.answers[200] + len(self.failures)

    def _call(self) -> None:
        with httpx.Client(headers=self.headers, timeout=SECONDS) as client:
            for _ in range(self.most):
                if self._stop.is_set():
                    return
                try:
                    answer = client.get(self.url)
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                    self._stop.wait(0.02)  # nobody listens: do not spin
                    continue
                with self._more:
                    self.answers[answer.status_code] += 1
                    self.seen.add(tuple(answer.headers.get(name, "") for name in self.watched))
                    self._more.notify_all()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Running:
    """`lockgate run` as a process of its own, with what it says line by line."""

    COMMAND: ClassVar[tuple[str, ...]] = ("run",)

    def __init__(self, document: Path, *options: str | Path, watch: bool = False) -> None:
        watched = [] if watch else ["--no-watch"]
        command = [
            sys.executable,
            "-m",
            "lockgate",
            *self.COMMAND,
            str(document),
            *watched,
            *map(str, options),
        ]
        self._begin(command)

    def _begin(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1, env=environment
        )
        self.said: list[str] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        self.url = self.wait_for(r"public listens on (http://\S+)")[1]
        self.wait_for("admin listens on")
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Read lines until one fits."""
        while True:
            line = self._lines.get(timeout=SECONDS)
            assert line is not None, f"it ended with {self.process.wait()}: {self.said}"
            self.said.append(line)
            if found := re.search(pattern, line):
                return found

    def kill(self) -> None:
        """As a crash would."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(SECONDS)

    def stop(self) -> int:
        """As an operator would."""
        self.process.terminate()
        return self.process.wait(SECONDS)

    def rest(self) -> list[str]:
        """The lines up to its end, which must be near."""
        while (line := self._lines.get(timeout=SECONDS)) is not None:
            self.said.append(line)
        return self.said

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._lines.put(line.rstrip("\n"))
        self._lines.put(None)
