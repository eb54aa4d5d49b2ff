"""Sample people of the shop, and what they have done in the console and the portal."""

from __future__ import annotations

import json
import os
import queue
import secrets
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Self

from lockgate.control.configuration import ControlSettings

from examples.shop.processes import PATIENCE, ROOT, ServiceError, end

if TYPE_CHECKING:
    from pathlib import Path

    from examples.shop.served import Served


@dataclass(frozen=True)
class Person:
    """Somebody with an account, whose password is made at each start."""

    email: str
    name: str
    role: str
    does: str
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12))


def people() -> tuple[Person, ...]:
    """The sample people, with passwords of this run."""
    return (
        Person("ada@shop.example", "Ada", "platform_admin", "runs the gateway: overview, requests, users"),
        Person("sam@shop.example", "Sam", "security_engineer", "tightens policies: alerts, changes, rollout"),
        Person("agnes@shop.example", "Agnes", "approver", "approves what Sam wrote, or does not"),
        Person("dora@shop.example", "Dora", "developer", "calls the API: portal, exceptions, feedback"),
    )


class People:
    """The sample people, who settle in while the shop is open.

    Args:
        served: The console that they use.
        recording: The folder of the node's recording.
        found: Who they are.
        changes: Whether they change policies, too.

    Raises:
        ServiceError: They could not.
    """

    def __init__(
        self, served: Served, recording: Path, found: tuple[Person, ...], *, changes: bool = True
    ) -> None:
        settings = ControlSettings(state=served.state, recording=recording)
        known = [asdict(person) for person in found]
        said = {"people": known, "console": served.console, "changes": changes}
        self.is_settled = False
        """Whether they have done what they do by themselves."""
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "examples.shop.settle"],
            cwd=ROOT,
            env={**os.environ, **settings.to_environment()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,  # Ctrl-C is for the demo, which ends its parts in order
        )
        self._reader = threading.Thread(target=self._read, name="people")
        self._reader.start()
        try:
            if self._process.stdin:
                # Not by the command line or the environment, which others of this machine may see.
                self._process.stdin.write(f"{json.dumps(said)}\n")
                self._process.stdin.flush()
            first = self._lines.get()
        except KeyboardInterrupt:
            # Nobody else could end what was only being made, and its reader would keep this process.
            self.stop()
            raise
        if first is None:
            self.stop()
            message = "the sample people did not settle in; what they say stands above"
            raise ServiceError(message)
        self.keys: dict[str, str] = json.loads(first)
        """The API keys that were issued to applications of the portal."""

    def notes(self) -> list[str]:
        """What they did since the last call."""
        found = []
        while not self._lines.empty():
            if line := self._lines.get():
                found.append(line)
            else:
                self.is_settled = True
        return found

    def stop(self) -> None:
        """Let them go. The end of the standard input is the sign."""
        end(self._process, PATIENCE)
        self._reader.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _read(self) -> None:
        if self._process.stdout is None:
            return
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line.rstrip("\n"))
        self._lines.put(None)
