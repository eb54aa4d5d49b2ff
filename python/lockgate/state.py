"""Orders to a node through its state folder, without network and port: who may write there is obeyed."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

from lockgate import _engine
from lockgate.models import Model

SOCKET = "control.sock"


class StateError(Exception):
    """The node refuses, does not answer, or keeps nothing to go back to."""


class WentBack(Model):
    """What serves after a rollback: at once, or from the next start on when no node runs."""

    generation: int
    id: str
    running: bool
    problems: tuple[str, ...] = ()


class Revoked(Model):
    """What is refused for ever; `known` says whether the served directory has it, when a node could look."""

    revoked: dict[str, str]
    known: bool | None


_WORDS = {"candidate": "candidate", "applied": "on trial", "baked": "proven", "taken_back": "taken back"}


class Kept(Model):
    """A generation that a node keeps."""

    generation: int
    id: str
    stage: str
    since: str
    why: str | None

    @property
    def in_words(self) -> str:
        """Its stage, as people read it."""
        return _WORDS.get(self.stage, self.stage)


class Generations(Model):
    """What a state folder keeps, newest first."""

    current: int | None
    last_good: int | None
    before: int | None
    kept: list[Kept]


class State:
    """The state folder of a node, whether the node runs or not.

    Args:
        folder: The folder that `lockgate run --state` was given.
        timeout: Seconds to wait for a node that runs.
    """

    def __init__(self, folder: str | os.PathLike[str], timeout: float = 10.0) -> None:
        self.folder = Path(folder)
        self.timeout = timeout

    def generations(self) -> Generations:
        """What is kept.

        Raises:
            StateError: It is no state folder.
        """
        self._must_be_one()
        try:
            return Generations.model_validate_json(_engine.generations(self.folder))
        except OSError as error:
            raise StateError(str(error)) from error

    def roll_back(self, to: str = "last-good", why: str = "a person went back") -> WentBack:
        """Serve an older generation again.

        Args:
            to: `last-good`, `previous` or a number.
            why: What is remembered of what was served.

        Raises:
            StateError: There is none, the node refuses, or a node runs and does not answer.
        """
        self._must_be_one()
        answer = self._order({"do": "rollback", "to": to, "why": why})
        if answer is not None:
            return WentBack.model_validate({**answer, "running": True})
        try:
            done = json.loads(_engine.roll_back(self.folder, to, why))
        except (OSError, ValueError) as error:
            raise StateError(str(error)) from error
        return WentBack(**done, running=False)

    def revoke(self, what: str) -> Revoked:
        """Refuse an application, or the key or certificate with this SHA-256, at once and for ever.

        Args:
            what: The id of an application, or 64 hexadecimal digits.

        Raises:
            StateError: There is no such application, the disk is full, or the node does not answer.
        """
        self._must_be_one()
        answer = self._order({"do": "revoke", "what": what})
        if answer is not None:
            return Revoked.model_validate(answer)
        try:
            return Revoked.model_validate_json(_engine.revoke(self.folder, what))
        except ValueError as error:
            raise StateError(str(error)) from error

    def publish(self, path: str | os.PathLike[str]) -> int:
        """Serve with the directory of a file at once; gives its sequence.

        Raises:
            StateError: It comes late, has errors, the disk does not take it, or the node does not answer.
        """
        self._must_be_one()
        answer = self._order({"do": "publish", "path": str(Path(path).resolve())})
        if answer is not None:
            return int(answer["sequence"])
        try:
            return _engine.publish_directory(self.folder, path)
        except ValueError as error:
            raise StateError(str(error)) from error

    def _must_be_one(self) -> None:
        if not (self.folder / "generations").is_dir():
            message = (
                f"`{self.folder}` is no state folder; name the one that `lockgate run --state` was given"
            )
            raise StateError(message)

    def _order(self, order: dict[str, Any]) -> dict[str, Any] | None:
        """What the node answers; nothing when no node runs."""
        try:
            line = self._ask(json.dumps(order))
        except (ConnectionRefusedError, FileNotFoundError):
            return None
        except OSError as error:
            message = (
                f"the node does not answer within {self.timeout:g} s ({error}); end its process and ask "
                "again: its next start serves what you asked for"
            )
            raise StateError(message) from error
        answer: dict[str, Any] = json.loads(line)
        if not answer.pop("done"):
            raise StateError(answer["why"])
        return answer

    def _ask(self, line: str) -> str:
        # A path of a socket has at most 108 bytes (unix(7)); through the open folder it is short.
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(self.timeout)
                connection.connect(f"/proc/self/fd/{folder}/{SOCKET}")
                connection.sendall(f"{line}\n".encode())
                with connection.makefile(encoding="utf-8") as answer:
                    said = answer.readline()
        finally:
            os.close(folder)
        if not said:
            message = "it closed the connection"
            raise OSError(message)
        return said
