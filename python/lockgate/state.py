"""Orders to a node through its state folder, without network and port: who may write there is obeyed."""

from __future__ import annotations

import json
import os
import socket
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_network
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


class Blocked(Model):
    """What is refused or slowed down for a time."""

    blocks: dict[str, str]
    since: str
    until: str
    why: str
    who: str
    per_minute: int | None = None
    """How many calls a minute are let through all the same."""

    @property
    def sort(self) -> str:
        """`source`, `application` or `credential`."""
        return next(iter(self.blocks))

    @property
    def what(self) -> str:
        """An address or network, an application, or the SHA-256 of a credential."""
        name = next(iter(self.blocks.values()))
        # One address is written as people write it.
        return name.removesuffix("/128" if ":" in name else "/32") if self.sort == "source" else name

    @property
    def in_words(self) -> str:
        """What it is, as people read it."""
        return f"the {self.sort} {self.what[:12] if self.sort == 'credential' else self.what}"

    @property
    def ends(self) -> datetime:
        """When it ends."""
        return datetime.fromisoformat(self.until)

    @property
    def until_text(self) -> str:
        """When it ends, to the second, as people read it."""
        return self.ends.strftime("%Y-%m-%d %H:%M:%S UTC")

    def refuses(self, address: IPv4Address | IPv6Address, application: str | None) -> bool:
        """Whether it is about calls from this address, or of this application."""
        if self.sort == "application":
            return application == self.blocks["application"]
        return self.sort == "source" and address in ip_network(self.blocks["source"])


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

    def block(
        self, what: str, seconds: int, why: str, *, who: str = "", per_minute: int | None = None
    ) -> Blocked:
        """Refuse for a time, at once and before the policies; it ends by itself.

        Args:
            what: An address, a network, the id of an application, or the SHA-256 of a credential.
            seconds: For how long; at most 30 days.
            why: Why, for those who look later.
            who: Who orders it.
            per_minute: So many calls a minute are let through all the same.

        Raises:
            StateError: It would mean everybody, there is no such application, the disk is full, or the node
                does not answer.
        """
        self._must_be_one()
        wanted = {"what": what, "seconds": seconds, "why": why, "who": who, "per_minute": per_minute}
        answer = self._order({"do": "block", **wanted})
        if answer is None:
            try:
                answer = json.loads(_engine.block(self.folder, json.dumps(wanted)))
            except (ValueError, OverflowError) as error:
                raise StateError(str(error)) from error
        return Blocked.model_validate(answer["block"])

    def unblock(self, what: str) -> Blocked:
        """End a block before its time.

        Raises:
            StateError: It is not blocked, the disk is full, or the node does not answer.
        """
        self._must_be_one()
        answer = self._order({"do": "unblock", "what": what})
        if answer is None:
            try:
                answer = json.loads(_engine.unblock(self.folder, what))
            except ValueError as error:
                raise StateError(str(error)) from error
        return Blocked.model_validate(answer["block"])

    def blocks(self) -> list[Blocked]:
        """What is blocked now, whether the node runs or not, oldest first.

        Raises:
            StateError: It is no state folder, or a newer Lockgate wrote it.
        """
        self._must_be_one()
        try:
            found = json.loads(_engine.blocks(self.folder))
        except ValueError as error:
            raise StateError(str(error)) from error
        return [Blocked.model_validate(one) for one in found]

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
