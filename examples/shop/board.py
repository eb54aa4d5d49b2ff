"""What the live view shows: counts of the gateway, and the lines of its access log."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = "not identified"
HISTORY = 60
"""Seconds of the rate that are shown."""
SHORTEST = 0.5
"""The fewest seconds that a rate is made from."""


@dataclass(frozen=True)
class Reason:
    """Why a request was refused, and what its caller can do."""

    status: int
    title: str
    remedy: str


def reasons() -> dict[str, Reason]:
    """The catalogue of reasons by code, as `lockgate policies --json` prints it."""
    command = [sys.executable, "-m", "lockgate", "policies", "--json"]
    catalogue = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    entries = catalogue["gateway_reasons"] + [
        reason for kind in catalogue["kinds"] for reason in kind["reasons"]
    ]
    return {entry["code"]: Reason(entry["status"], entry["title"], entry["remedy"]) for entry in entries}


@dataclass
class Refused:
    """Requests that were alike, one after the other, and were refused, or that no service could answer."""

    at: str
    who: str
    request: str
    status: int
    code: str
    times: int = 1

    def is_like(self, other: Refused) -> bool:
        """Whether it is the same again."""
        return (self.who, self.request, self.code) == (other.who, other.request, other.code)


@dataclass
class Caller:
    """What became of the calls of one application."""

    calls: int = 0
    refused: int = 0
    failed: int = 0
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=500))

    @property
    def median(self) -> float:
        """The median of the last latencies in milliseconds."""
        return statistics.median(self.latencies) if self.latencies else 0.0


class AccessLog:
    """The new lines of an access log."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None
        self._rest = ""

    def __enter__(self) -> Self:
        self._file = self._path.open()
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def read(self) -> list[dict[str, Any]]:
        """What was written since the last call."""
        text = self._rest + (self._file.read() if self._file else "")
        *lines, self._rest = text.split("\n")
        return [json.loads(line) for line in lines]


class Board:
    """Everything that is shown, at one moment.

    Args:
        catalogue: The reasons by code.
        applications: The applications of the document, in its order.
    """

    def __init__(self, catalogue: dict[str, Reason], applications: list[str]) -> None:
        self.catalogue = catalogue
        self.callers = {name: Caller() for name in [*applications, NOBODY]}
        self.last: deque[Refused] = deque(maxlen=50)
        self.notes: deque[str] = deque(maxlen=50)
        self.rates: deque[float] = deque(maxlen=HISTORY)
        self.stats: dict[str, Any] = {}
        self.pages = (0, 0)
        """Product pages that were whole, and that were not."""
        self.started = self._at = time.monotonic()
        self._requests = 0

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self.started

    @property
    def refusals(self) -> list[tuple[str, int, Reason]]:
        """Refusals by code with their count, most first."""
        counts: dict[str, int] = self.stats.get("refusals", {})
        unknown = Reason(0, "Refused", "see its `detail`")
        return [
            (code, count, self.catalogue.get(code, unknown))
            for code, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        ]

    def note(self, text: str) -> None:
        """Something happened that people should know."""
        self.notes.append(f"{time.strftime('%H:%M:%S')} {text}")

    def count(self, stats: dict[str, Any]) -> None:
        """Take the counts of the gateway; about once a second."""
        self.stats = stats
        # What came in the last moment says little about the rate.
        if (passed := time.monotonic() - self._at) >= SHORTEST:
            self.rates.append((stats["requests"] - self._requests) / passed)
            self._requests, self._at = stats["requests"], self._at + passed

    def add(self, line: dict[str, Any]) -> None:
        """Take a line of the access log."""
        caller = self.callers.setdefault(line.get("application", NOBODY), Caller())
        caller.calls += 1
        caller.latencies.append(line["latency_ms"])
        code, status = line.get("code"), line["status"]
        if line["decision"] == "respond":
            code = None  # it says which policy answered, and nobody was refused
        if status >= 500:
            caller.failed += 1
        elif code:
            caller.refused += 1
        if code:
            request = f"{line['method']} {line['path']}"
            who = line.get("application", NOBODY)
            refused = Refused(time.strftime("%H:%M:%S"), who, request, status, code)
            if self.last and self.last[-1].is_like(refused):
                refused.times = self.last.pop().times + 1
            self.last.append(refused)
