"""The settings as mypy looks at them, with a state folder that nobody uses."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_STATE = Path(tempfile.gettempdir()) / f"lockgate-types-{os.getuid()}"
os.environ.setdefault("LOCKGATE_CONTROL_STATE", str(_STATE))

from lockgate.control.settings import *  # noqa: E402, F403
