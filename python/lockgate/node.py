"""A node: the process that serves one document. `lockgate run` becomes it.

It imports the engine and little else, so that what serves traffic stays small.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate import _engine
from lockgate.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

WATCH_SECONDS = 0.5
"""How often the folder of the document is looked at."""

_RED, _YELLOW, _DIM = 31, 33, 2


TASTER = [sys.executable, "-P", "-m", "lockgate.taster"]
"""The child that tries candidates. `-P`: nothing is imported from the folder that it stands in."""


def serve(
    file: str,
    options: dict[str, Any],
    *,
    watch: bool,
    drain: float,
    rollout: str | None = None,
    without: str | None = None,
) -> int:
    """Serve a document until SIGTERM or Ctrl-C; gives the exit code that `lockgate run` documents.

    With `rollout`, the body of `POST /rollout`, a change is rolled out as that says, and not served at once.
    """
    # Before the first reading, so that a change during the start is not taken for the state that was read.
    documents = Watch(file, without)
    try:
        node = _engine.Node.start(file, json.dumps(options))
    except _engine.ProblemsError as error:
        show_problems(json.loads(str(error)))
        return 1
    except (OSError, ValueError) as error:
        return fail(str(error), 2)
    documents.also(node.files())
    changes = _Rollouts(node, rollout) if rollout else _Reloads(node)

    def look(is_asked: bool) -> None:  # noqa: FBT001 - whether a signal asked for it
        changed = documents.changed()
        if is_asked or (watch and changed):
            changes.wanted = True
        if changes.follow():
            documents.also(node.files())

    return run(node, look, drain)


def run(node: _engine.Node, look: Callable[[bool], None], drain: float) -> int:
    """Run a node that was started until SIGTERM or Ctrl-C; gives the exit code.

    Args:
        node: The node.
        look: Called every so often, with whether SIGHUP came.
        drain: Seconds that requests have to end.
    """
    show_problems(json.loads(node.warnings()))
    wake, stop, reload = threading.Event(), threading.Event(), threading.Event()

    def on_signal(number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP:
            reload.set()
        elif stop.is_set():
            os._exit(130)
        else:
            stop.set()
        wake.set()

    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    for name, address, scheme in node.listeners():
        say(f"{name} listens on {scheme}://{address}")
    say(f"admin listens on http://{node.admin()}")
    while not stop.is_set():
        for notice in node.notices():
            say(notice)
        wake.wait(WATCH_SECONDS)
        wake.clear()
        # A signal between the two lines must not be lost: what was not seen is not cleared.
        if is_asked := reload.is_set():
            reload.clear()
        look(is_asked)
    if not node.stop(drain):
        return fail(f"some requests did not end within {drain:g} s", 3)
    return 0


class _Reloads:
    """Serves each change at once."""

    def __init__(self, node: _engine.Node) -> None:
        self._node = node
        self.wanted = False

    def follow(self) -> bool:
        """Do what is wanted; whether the document was read."""
        if not self.wanted:
            return False
        self.wanted = False
        _report(json.loads(self._node.apply()))
        return True


class _Rollouts(_Reloads):
    """Rolls changes out, one after the other: what comes while one runs waits for its end."""

    def __init__(self, node: _engine.Node, asked: str) -> None:
        super().__init__(node)
        self._asked = asked
        self._began = False
        # A node with a state folder starts with what it served before.
        self.wanted = not self._is_served()

    def follow(self) -> bool:
        """Do what is wanted, and say how it ended; whether the document was read."""
        last = json.loads(self._node.rollout() or "null")
        if last is not None and last["running"]:
            return False
        if self._began:
            self._began = False
            say(f"the rollout of revision {last['candidate'][:12]} has ended: {last['stage']}")
        if not self.wanted:
            return False
        try:
            warnings = json.loads(self._node.begin_rollout(self._asked))
        except _engine.ProblemsError as error:
            self.wanted = False
            show_problems(json.loads(str(error)))
            complain("nothing is rolled out; what served serves on", _RED)
            return True
        except ValueError as error:
            if self._is_served():
                # Only what is no part of a revision, such as certificates, can have changed.
                return super().follow()
            self.wanted = False
            complain(f"nothing is rolled out: {error}", _RED)
            return True
        self.wanted, self._began = False, True
        show_problems(warnings)
        say("the change is rolled out: `lockgate rollout watch` shows it")
        return True

    def _is_served(self) -> bool:
        candidate = json.loads(_engine.check(json.loads(self._asked)["candidate"]))
        revision: str = json.loads(self._node.stats())["revision"]
        return bool(candidate["id"] == revision)


def say(text: str) -> None:
    """Print a line."""
    print(text, flush=True)


def complain(text: str, style: int, rest: str = "") -> None:
    """Print a line to the standard error; the beginning is coloured for people."""
    if sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
        text = f"\033[{style}m{text}\033[0m"
    print(f"{text}{rest}", file=sys.stderr, flush=True)


def fail(message: str, code: int) -> int:
    """Say what went wrong; gives the exit code."""
    complain("error: ", _RED, message)
    return code


def show_problems(problems: list[dict[str, Any]]) -> None:
    """Print problems, with what to write below."""
    for problem in problems:
        place = ":".join(str(problem[part]) for part in ("file", "line", "column") if problem[part])
        style = _RED if problem["severity"] == "error" else _YELLOW
        complain(f"{problem['severity']}: ", style, f"{place}: {problem['message']}")
        if problem["help"]:
            complain(f"  help: {problem['help']}", _DIM)


def _report(applied: dict[str, Any]) -> None:
    show_problems(applied["problems"])
    generation = f" as generation {applied['generation']}" if applied["generation"] else ""
    revision = f"revision {applied['id'][:12]}"
    if applied["applied"]:
        say(f"{revision} is served{generation}")
    else:
        complain(f"nothing was reloaded ({applied['reason']}); {revision} serves on{generation}", _RED)


def _stop_at_eof() -> None:
    """End with whoever holds the other end of the standard input, however that one ends."""
    while os.read(sys.stdin.fileno(), 4_096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Serve as `lockgate run` asks for."""
    parser = argparse.ArgumentParser(prog="python -m lockgate.node", description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--no-watch", dest="watch", action="store_false")
    parser.add_argument("--drain", type=float, default=30.0)
    parser.add_argument("--until-eof", action="store_true", help="stop when the standard input ends")
    parser.add_argument("--state")
    parser.add_argument("--trust")
    parser.add_argument("--bake", type=float, default=60.0)
    parser.add_argument("--bake-requests", type=int, default=1)
    parser.add_argument("--rollout", help="how changes are rolled out: the body of `POST /rollout`")
    parser.add_argument("--without", help="a folder in which no document is watched")
    asked = parser.parse_args()
    if asked.until_eof:
        threading.Thread(target=_stop_at_eof, daemon=True).start()
    try:
        trust = Path(asked.trust).read_text() if asked.trust else None
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(fail(f"the key `{asked.trust}` cannot be read: {error}", 2))
    options = {
        "state": asked.state,
        "trust": trust,
        "taster": TASTER,
        "bake_seconds": asked.bake,
        "bake_requests": asked.bake_requests,
        "rollouts_only": asked.rollout is not None,
    }
    sys.exit(
        serve(
            asked.file,
            options,
            watch=asked.watch,
            drain=asked.drain,
            rollout=asked.rollout,
            without=asked.without,
        )
    )


if __name__ == "__main__":
    main()
