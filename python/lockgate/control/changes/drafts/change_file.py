"""The file `change.yaml` of a change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lockgate.changes import FILE
from lockgate.changes.change import ChangeFile
from lockgate.changes.evidence import write
from lockgate.control.changes.errors import ChangeError

if TYPE_CHECKING:
    from pathlib import Path


def write_change(here: Path, said: dict[str, Any]) -> None:
    """Write `change.yaml`; JSON is YAML, too."""
    try:
        file = ChangeFile.model_validate(said)
    except ValueError as error:
        message = _first(error)
        raise ChangeError(message) from None
    write(here / FILE, json.dumps(file.model_dump(mode="json", exclude_none=True), indent=2) + "\n")


def _first(error: ValueError) -> str:
    errors = getattr(error, "errors", None)
    if errors is None:
        return str(error)
    one = errors(include_url=False)[0]
    where = ".".join(str(part) for part in one["loc"])
    return f"`{where}`: {one['msg'][:1].lower()}{one['msg'][1:]}"
