"""The admin listener of a running gateway."""

from __future__ import annotations

import http.client
import json
from typing import Any, Literal

from lockgate.models import Model


class AdminError(Exception):
    """No gateway answers, or it says no."""


class Reloaded(Model):
    """What a reload did; problems are sentences with file and line."""

    applied: bool
    id: str
    generation: int | None = None
    reason: str | None = None
    live_ms: float | None = None
    """From when the document was read until it served, in milliseconds."""
    problems: list[str]


class RolloutAnswer(Model):
    """A rollout with the problems of its candidate; `lockgate.rollout.RolloutStatus` reads it."""

    rollout: dict[str, Any] | None
    problems: list[str]


class AdminClient:
    """Talks to the admin listener.

    Args:
        address: Host and port, such as `127.0.0.1:9901`.
        timeout: Seconds to wait for an answer.
    """

    def __init__(self, address: str = "127.0.0.1:9901", timeout: float = 60.0) -> None:
        self.address = address.removeprefix("http://").rstrip("/")
        self.timeout = timeout

    def reload(self, *, again: bool = False, force: bool = False) -> Reloaded:
        """Read the document again.

        Args:
            again: Serve it even when it was taken back before.
            force: End a rollout that is in the way.

        Raises:
            AdminError: No gateway answers.
        """
        asked = "&".join(word for word, wanted in (("again", again), ("force", force)) if wanted)
        path = f"/reload?{asked}" if asked else "/reload"
        return Reloaded.model_validate_json(self._ask("POST", path, also=422))

    def begin_rollout(self, asked: str) -> RolloutAnswer:
        """Begin a rollout, from what `lockgate.rollout.asked` gives; nothing begins when it has errors.

        Raises:
            AdminError: No gateway answers, or it says no.
        """
        return RolloutAnswer.model_validate_json(self._ask("POST", "/rollout", also=422, body=asked))

    def rollout(self) -> dict[str, Any] | None:
        """The rollout that runs, else the last one.

        Raises:
            AdminError: No gateway answers.
        """
        return RolloutAnswer.model_validate_json(self._ask("GET", "/rollout.json")).rollout

    def command_rollout(self, command: Literal["promote", "pause", "resume", "abort"]) -> dict[str, Any]:
        """Follow a command; gives the rollout after it.

        Raises:
            AdminError: No gateway answers, or it says no.
        """
        answer = RolloutAnswer.model_validate_json(self._ask("POST", f"/rollout/{command}"))
        return answer.rollout or {}

    def stats(self) -> dict[str, Any]:
        """Counts since the start.

        Raises:
            AdminError: No gateway answers.
        """
        stats: dict[str, Any] = json.loads(self._ask("GET", "/stats.json"))
        return stats

    def _ask(self, method: str, path: str, *, also: int = 200, body: str | None = None) -> str:
        try:
            connection = http.client.HTTPConnection(self.address, timeout=self.timeout)
        except http.client.InvalidURL:
            message = f"`{self.address}` is not an address; write one such as `127.0.0.1:9901`"
            raise AdminError(message) from None
        try:
            connection.request(method, path, body=body)
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or error
            message = f"no gateway answers at {self.address}: {why}; `lockgate run` prints the address to ask"
            raise AdminError(message) from error
        finally:
            connection.close()
        if answer.status not in {200, also}:
            message = f"{self.address} answered {answer.status}: {text.strip()}"
            raise AdminError(message)
        return text
