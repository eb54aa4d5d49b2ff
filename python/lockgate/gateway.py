"""A gateway that runs inside this process, on threads of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

from pydantic import TypeAdapter

from lockgate import _engine
from lockgate.models import Applied, Problem

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

_PROBLEMS = TypeAdapter(list[Problem])


class Gateway:
    """Serves a document until it is stopped.

    Raises:
        ProblemsError: The document has errors.
        OSError: A listener cannot bind its address.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._node = _engine.Node.start(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def warnings(self) -> list[Problem]:
        """What the document was warned of at the start."""
        return _PROBLEMS.validate_json(self._node.warnings())

    @property
    def listeners(self) -> dict[str, str]:
        """The listeners with the addresses that were really bound."""
        return {name: address for name, address, _ in self._node.listeners()}

    @property
    def urls(self) -> dict[str, str]:
        """The listeners as URLs."""
        return {name: f"{scheme}://{address}" for name, address, scheme in self._node.listeners()}

    @property
    def admin(self) -> str:
        """The address of the admin listener: metrics, health, statistics."""
        return self._node.admin()

    def reload(self) -> Applied:
        """Read the document again; the old one serves on when it has errors."""
        return Applied.model_validate_json(self._node.apply())

    @property
    def files(self) -> list[Path]:
        """The files that the document consists of and refers to, as the last reading found them."""
        return self._node.files()

    def stats(self) -> dict[str, Any]:
        """Counts since the start: requests, answers by class, refusals by code."""
        stats: dict[str, Any] = json.loads(self._node.stats())
        return stats

    def stop(self, drain_seconds: float = 30.0) -> bool:
        """Take no more connections and let requests end; whether all did in time."""
        return self._node.stop(drain_seconds)
