"""The supervisor of `lockgate serve`: a node, a console and its worker, each started again when it dies.

It knows nothing of what they do, imports none of them, and each goes on while the others are down.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lockgate.running import Running

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import FrameType

FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 30.0
"""How long to wait before a child is started again; twice as long each time."""
REFUSED: Final = 2
"""The exit code of a control plane that cannot start as it is told to, now or later."""
STEADY_SECONDS: Final = 60.0
"""A child that ran so long starts from the shortest wait again."""


@dataclass
class Child:
    """A process that is kept running.

    Args:
        name: What it is called in what is printed.
        line: What starts it.
        environment: What it is told beyond our own environment.
        on_line: Gets each line that it prints; what it gives is printed.
        on_end: Called when it ended.
    """

    name: str
    line: list[str]
    environment: Mapping[str, str]
    on_line: Callable[[Child, str], str | None]
    on_end: Callable[[Child, int], None]
    process: subprocess.Popen[str] | None = None
    was_ready: bool = False
    """Whether it ever came as far as to say something."""
    code: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)
    _starting: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Start it, and start it again whenever it ends, until it is told to stop."""
        wait = FIRST_WAIT
        while self._start():
            began = time.monotonic()
            self._follow()
            if self._stopping.is_set():
                break
            self.on_end(self, self.code)
            if time.monotonic() - began > STEADY_SECONDS:
                wait = FIRST_WAIT
            if self._stopping.is_set():
                break
            say(f"{self.name} ended ({_ending(self.code)}); it is started again in {wait:g} s")
            self._stopping.wait(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    def stop(self) -> None:
        """Tell it to end; it is not started again."""
        with self._starting:
            self._stopping.set()
            self.signal(signal.SIGTERM)

    def signal(self, number: int) -> None:
        """Send it a signal, when it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def _start(self) -> bool:
        with self._starting:
            if self._stopping.is_set():
                return False
            self.process = subprocess.Popen(
                self.line,
                # Nothing is ever written: it ends when this process does, however that may be.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                errors="replace",
                env={**os.environ, **self.environment},
                # Ctrl-C reaches this process alone, which then tells the children in its own words.
                start_new_session=True,
            )
            return True

    def _follow(self) -> None:
        process = self.process
        if process is None or process.stdout is None:
            return
        with process:
            for text in process.stdout:
                self.was_ready = True
                if shown := self.on_line(self, text.rstrip("\n")):
                    say(shown)
        self.code = process.returncode


class Supervisor:
    """Runs a node, a control plane and its worker.

    Args:
        document: The gateway document.
        state: The state folder.
        node: Options of the node.
        control: The control plane's environment.
    """

    def __init__(self, document: Path, state: Path, *, node: list[str], control: Mapping[str, str]) -> None:
        self._document, self._state = document, state
        self._listeners: dict[str, str] = {}
        # `-P`: nothing is imported from the folder that they stand in.
        python = [sys.executable, "-P", "-m"]
        # What is drafted in the state folder is no document of the node, which may stand in the same folder.
        options = ["--until-eof", f"--state={state / 'node'}", f"--without={state}", *node]
        self._node = Child(
            "node",
            [*python, "lockgate.node", *options, "--", str(document)],
            {},
            self._of_node,
            self._node_ended,
        )
        self._control, self._worker = (
            Child(
                name,
                [*python, module, "--until-eof"],
                control,
                lambda child, text: f"{child.name}: {text}",
                self._control_ended,
            )
            for name, module in (("control", "lockgate.control"), ("worker", "lockgate.control.worker"))
        )
        self._children = (self._node, self._control, self._worker)
        self._stopped = False

    def run(self) -> int:
        """Run all until SIGTERM or Ctrl-C; gives the exit code that `lockgate serve` documents."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, lambda *_: self._node.signal(signal.SIGHUP))
        threads = [threading.Thread(target=child.run) for child in self._children]
        for thread in threads:
            thread.start()
        for thread in threads:
            # A wait with an end lets signals in.
            while thread.is_alive():
                thread.join(1.0)
        Running.forget(self._state)
        if not self._control.was_ready and self._control.code == REFUSED:
            return REFUSED
        # A node that was killed, and was to be started again, says nothing about how this ended.
        return max(self._node.code, 0)

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        if self._stopped:
            for child in self._children:
                child.signal(signal.SIGKILL)
        else:
            self._stopped = True
            # Not here: a signal may come while a lock is held that stopping needs.
            threading.Thread(target=self._stop).start()

    def _stop(self) -> None:
        say("stopping; requests that are under way may end")
        self._stop_for_good()

    def _of_node(self, child: Child, text: str) -> str:
        """Note where the node listens; the admin listener is what it names last."""
        name, listens, url = text.partition(" listens on ")
        if listens and name == "admin" and child.process is not None:
            running = Running(
                admin=url.removeprefix("http://"),
                listeners=self._listeners,
                document=str(self._document),
                pid=child.process.pid,
            )
            running.write(self._state)
            self._listeners = {}
        elif listens:
            self._listeners[name] = url
        return f"{child.name}: {text}"

    def _node_ended(self, child: Child, _code: int) -> None:
        Running.forget(self._state)
        self._listeners = {}
        if not child.was_ready:
            # It said why: the document is refused, or an address is taken.
            self._stop_for_good()

    def _control_ended(self, child: Child, code: int) -> None:
        if not child.was_ready and code == REFUSED:
            self._stop_for_good()

    def _stop_for_good(self) -> None:
        self._worker.stop()
        self._control.stop()
        self._node.stop()


def say(text: str) -> None:
    """Print a line at once. Whoever read the lines may be gone, and children are stopped all the same."""
    with suppress(BrokenPipeError):
        print(text, flush=True)


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
