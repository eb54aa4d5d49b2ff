"""Where things are."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
BILL: Final = ROOT / "requirements" / "lockgate.cdx.json"
