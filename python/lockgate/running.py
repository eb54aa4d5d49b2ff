"""What a supervisor tells of the node that it runs, in a file of the state folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from lockgate.models import Model

if TYPE_CHECKING:
    from os import PathLike

# Without `.json` at its end: a node that watches the folder above takes such files for documents.
_NAME = "running"


class Running(Model):
    """The node of a supervisor."""

    admin: str
    """Host and port of its admin listener."""
    listeners: dict[str, str]
    """URLs by the names of listeners."""
    document: str
    pid: int

    @classmethod
    def read(cls, state: str | PathLike[str]) -> Running | None:
        """The node, when one runs."""
        try:
            return cls.model_validate_json(Path(state, _NAME).read_bytes())
        except (OSError, ValidationError):
            return None

    def write(self, state: str | PathLike[str]) -> None:
        """Tell of the node; whoever reads meanwhile reads the old one or this one."""
        beside = Path(state, f"{_NAME}.new")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(self.model_dump_json())
        beside.replace(Path(state, _NAME))

    @staticmethod
    def forget(state: str | PathLike[str]) -> None:
        """Tell that no node runs."""
        Path(state, _NAME).unlink(missing_ok=True)
