"""From which folder of this machine feeds may be read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lockgate.control.configuration import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER: Final = "LOCKGATE_FEED_FOLDER"


def feed_folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of `LOCKGATE_FEED_FOLDER`; without it, feeds come from addresses alone.

    Raises:
        ConfigurationError: It is none.
    """
    text = environment.get(FOLDER, "")
    if not text:
        return None
    folder = Path(text)
    if not folder.is_absolute() or not folder.is_dir():
        message = f"`{text}` in {FOLDER} is no folder"
        raise ConfigurationError(message, f"write {FOLDER}=/srv/feeds, or leave it out")
    return folder.resolve()
