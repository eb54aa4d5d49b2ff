"""The shop behind `lockgate serve`: a node, the console and its worker, each a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from lockgate.admin import AdminClient, AdminError

from examples.shop.processes import ROOT, ServiceError, end
from examples.shop.shop import DRAIN_SECONDS, Parts

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

CONSOLE_PORT = 9900
START_SECONDS = 120.0
END_SECONDS = 30.0
"""Longer than each of the processes needs, and then they are killed."""
_LISTENS = re.compile(r"(?:node: (\w+)|control: (console)) listens on (\S+)")
_NOTE = re.compile(
    r"(?:node: )?((?:revision \w+ is served|nothing was reloaded|error:|warning:|  help:|.*started again).*)"
)


class Served:
    """`lockgate serve`, and what it says.

    Args:
        document: What is served.
        bind: Where the console listens.
        state: The state folder.

    Raises:
        ServiceError: It did not start; the message is what it said.
    """

    def __init__(self, document: Path, bind: str, state: Path) -> None:
        options = ["--bind", bind, "--state", str(state), "--drain", f"{DRAIN_SECONDS:g}", "--open-catalogue"]
        self.state = state
        self.urls: dict[str, str] = {}
        self._said: deque[str] = deque(maxlen=20)
        self._notes: deque[str] = deque(maxlen=50)
        self._stats: dict[str, Any] = {}
        self._more = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "examples.shop.gate", str(document), *options],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,  # Ctrl-C is for the demo, which ends its parts in order
        )
        self._reader = threading.Thread(target=self._read, name="served")
        self._reader.start()
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        self.console = self.urls["console"]
        self.admin = urlsplit(self.urls["admin"]).netloc
        self._client = AdminClient(self.admin, 2.0)

    def stats(self) -> dict[str, Any]:
        """Counts of the node since its start; the last ones while it does not answer."""
        try:
            self._stats = self._client.stats()
        except AdminError:
            if not self._reader.is_alive():
                raise ServiceError(self._why()) from None
        return self._stats

    def notes(self) -> list[str]:
        """What it said since the last call that people should know."""
        with self._more:
            found = list(self._notes)
            self._notes.clear()
        return found

    def stop(self) -> None:
        """End it. The end of its standard input is the sign."""
        end(self._process, END_SECONDS)
        self._reader.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _read(self) -> None:
        if self._process.stdout is None:
            return
        with self._process.stdout as lines:
            for text in lines:
                self._take(text.rstrip("\n"))
        with self._more:
            self._more.notify_all()

    def _take(self, line: str) -> None:
        with self._more:
            self._said.append(line)
            if found := _LISTENS.match(line):
                self.urls[found[1] or found[2]] = found[3]
            elif found := _NOTE.match(line):
                self._notes.append(found[1])
            self._more.notify_all()

    def _wait(self) -> None:
        wanted = {"console", "admin"}

        def settled() -> bool:
            return wanted <= self.urls.keys() or self._process.poll() is not None

        with self._more:
            if not self._more.wait_for(settled, START_SECONDS) or not wanted <= self.urls.keys():
                self._more.wait_for(lambda: not self._reader.is_alive(), 1.0)
                raise ServiceError(self._why())

    def _why(self) -> str:
        errors = [line.removeprefix("error: ") for line in self._said if line.startswith("error: ")]
        return errors[-1] if errors else "\n".join(["`lockgate serve` ended; it said:", *self._said])


class ServedShop(Parts):
    """A shop with a console.

    Args:
        folder: Where the copy of the document, the database, the recording and the state go.
        port: Where the gateway listens, with the console at its usual port; 0: any free ports.
    """

    def serve(self, parts: ExitStack) -> None:
        """Serve the document by `lockgate serve`."""
        bind = f"127.0.0.1:{CONSOLE_PORT if self.port else 0}"
        self.gateway = parts.enter_context(Served(self.document, bind, self.folder / "lockgate-state"))
        self.url = self.gateway.urls["public"]
        self.address = urlsplit(self.url).netloc
