"""A state folder for each test of analytics: Parquet files of one are none of another's, nor what was read of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, settings: Any, recordings: Path) -> None:
    state = tmp_path / "state"
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"state": state, "recording": recordings})
