"""A state folder for each test of alerts: what one keeps is none of another's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lockgate.control.analytics import tail
from lockgate.control.secret import make_checkpoint_key, make_state

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.fixtures import Settings


@pytest.fixture(autouse=True)
def state(tmp_path: Path, settings: Settings, recordings: Path) -> Path:
    """The state folder of the control plane; that of its node is in it."""
    folder = tmp_path / "state"
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"state": folder, "recording": recordings})
    make_state(folder)
    make_checkpoint_key(folder)
    tail.forget()
    return folder
